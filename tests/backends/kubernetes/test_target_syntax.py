"""What may stand as TARGET."""

from __future__ import annotations

import pytest

from erlconnect.api import UsageError
from erlconnect_backends.kubernetes.requests import (
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    ROLLOUT,
    SERVICE,
    STATEFUL_SET,
    Resource,
)
from erlconnect_backends.kubernetes.target_syntax import TargetSyntax, parse_target


@pytest.mark.parametrize(
    ("kinds", "resource"),
    [
        ("deploy deployment deployments Deployment deployment.apps", DEPLOYMENT),
        ("sts statefulset statefulsets statefulset.v1.apps", STATEFUL_SET),
        ("ds daemonset daemonsets", DAEMON_SET),
        ("rs replicaset replicasets", REPLICA_SET),
        ("job jobs job.batch", JOB),
        ("rollout rollouts rollout.argoproj.io", ROLLOUT),
        ("svc service services", SERVICE),
        ("po pod pods", POD),
    ],
)
def test_kinds_are_called_as_with_kubectl(kinds: str, resource: Resource) -> None:
    for kind in kinds.split():
        assert parse_target(f"{kind}/shop-1.x") == TargetSyntax(name="shop-1.x", resource=resource)


def test_a_name_alone_may_be_of_any_kind() -> None:
    assert parse_target("shop") == TargetSyntax(name="shop")


@pytest.mark.parametrize("target", ["cm/shop", "/shop", "a/b/c"])
def test_what_has_no_pods_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="of no kind that has pods") as refused:
        parse_target(target)
    assert "deploy, sts, ds, rs, svc, job, rollout, pod" in refused.value.remedy


@pytest.mark.parametrize("target", ["", "deploy/", "Shop", "deploy/shop_1", "shop?x=1", "-shop"])
def test_what_cannot_be_a_name_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match="no name of an object"):
        parse_target(target)
