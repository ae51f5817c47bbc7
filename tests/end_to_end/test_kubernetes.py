"""Pods found, their cookies fetched and their nodes called: real nodes, the installed command."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from end_to_end.evidence import COMMAND
from end_to_end.machine import Machine, alias_of, machine
from world.connected import LOCAL_NAME, REMOTE_COOKIE
from world.kubernetes.api import KubernetesApi
from world.kubernetes.data_manifests import secret
from world.kubernetes.deployments import ErlangDeployment, Template
from world.kubernetes.kubeconfig import by_exec, by_token
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from world.erlang import ErlangNode
    from world.kubernetes.erlang_pods import ErlangPod
    from world.session import ErlconnectSession

PAGE = Path(__file__).parents[2] / "docs" / "backends" / "kubernetes.md"
FROM_SECRET = {
    "name": "RELEASE_COOKIE",
    "valueFrom": {"secretKeyRef": {"name": "shop", "key": "cookie"}},
}
ROUND_TRIP = (
    "Binary = crypto:strong_rand_bytes(64 * 1024 * 1024),"
    " Binary =:= erpc:call(Alias, erlang, hd, [[Binary]], 60000)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A cluster with one Deployment, and the machine of a user."""

    api: KubernetesApi
    shop: ErlangDeployment
    folder: Path
    here: Machine

    @property
    def pod(self) -> ErlangPod:
        return self.shop.pods[0]

    def session(
        self, *options: str, target: str = "deploy/shop", user: Mapping[str, Any] | None = None
    ) -> ErlconnectSession:
        kubeconfig = self.api.kubeconfig(self.folder / "kubeconfig", user=user, namespace="shop")
        return self.here.session(
            "-b", "kubernetes", target, "-o", f"kubeconfig={kubeconfig}", *options
        )

    @contextmanager
    def joined(self, *options: str, **more: Any) -> Iterator[Joined]:
        """Run a session and a local node."""
        with self.session(*options, **more) as session, self.here.node(LOCAL_NAME) as local:
            yield Joined(session=session, local=local)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """A session and a local node beside it."""

    session: ErlconnectSession
    local: ErlangNode

    def call(self, expressions: str) -> str:
        """Evaluate at the local node; ``Alias`` is bound to the alias."""
        return self.local.evaluate(f"Alias = {alias_of(self.session.ready(60))}, {expressions}", 90)


@contextmanager
def world(folder: Path, template: Template | None = None, replicas: int = 1) -> Iterator[World]:
    template = template or Template(cookie=REMOTE_COOKIE, env=[FROM_SECRET], environment={})
    with KubernetesApi() as api:
        values = {"cookie": template.cookie}
        api.objects.put(secret("shop", values, namespace="shop"))
        with (
            ErlangDeployment(api.cluster, "shop", template, replicas=replicas) as shop,
            machine() as here,
        ):
            yield World(api=api, shop=shop, folder=folder, here=here)


def test_a_deployment_is_called_by_its_alias_with_the_cookie_of_its_secret(tmp_path: Path) -> None:
    with world(tmp_path) as there, there.joined() as joined:
        assert joined.call("net_adm:ping(Alias).") == "pong"
        assert joined.call(ROUND_TRIP) == "true"
        ready = joined.session.ready()
        pod = there.pod
    (alias,) = ready["aliases"]
    assert (ready["backend"], ready["cookie_source"]) == ("kubernetes", "kubernetes-env")
    assert ready["transport"] == "kubernetes-port-forward"
    assert alias["node"] == pod.node.name
    assert alias["facts"]["pod"] == pod.name
    assert alias["facts"]["revision"] == "1"
    assert REMOTE_COOKIE not in joined.session.process.stdout + joined.session.process.stderr
    assert there.api.token not in joined.session.process.stdout + joined.session.process.stderr


def test_a_release_without_a_variable_and_behind_a_sidecar(tmp_path: Path) -> None:
    template = Template(
        cookie=REMOTE_COOKIE,
        ports=[{"containerPort": 4369, "name": "epmd"}],
        sidecars=[{"name": "proxy", "image": "registry.test/proxy:1"}],
        sidecar_first=True,
    )
    with world(tmp_path, template) as there, there.joined(target="shop") as joined:
        assert joined.call("erpc:call(Alias, erlang, whereis, [init]) =/= undefined.") == "true"
        assert joined.session.ready()["cookie_source"] == "kubernetes-exec"


def test_a_node_with_another_epmd_port_and_a_name_that_its_variables_tell(tmp_path: Path) -> None:
    ip = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    template = Template(
        cookie=REMOTE_COOKIE,
        epmd_port=4370,
        env=[
            FROM_SECRET,
            ip,
            {"name": "RELEASE_NODE", "value": "shop@$(POD_IP)"},
            {"name": "ERL_EPMD_PORT", "value": "4370"},
        ],
        environment={},
    )
    with world(tmp_path, template) as there, there.joined() as joined:
        assert joined.call("net_adm:ping(Alias).") == "pong"
        warnings = [one for one in joined.session.events if one["event"] == "warning"]
    assert not any("calls itself" in one["message"] for one in warnings)


def test_a_pod_that_is_replaced_under_load_is_reached_by_the_same_alias(tmp_path: Path) -> None:
    with world(tmp_path) as there, there.joined() as joined:
        assert joined.call("net_adm:ping(Alias).") == "pong"
        first = there.pod
        load = threading.Thread(target=_load, args=(joined,))
        load.start()
        there.shop.replace(first)
        load.join(60)
        down = joined.session.wait_event("link-down", 30)
        wait_until(lambda: joined.call("net_adm:ping(Alias).") == "pong", "the new pod answers", 30)
        replaced = joined.session.wait_event("target-replaced", 30)
        second = there.pod
    assert down["reason"]
    assert (replaced["old_node"], replaced["node"]) == (first.node.name, second.node.name)
    assert joined.session.ready()["aliases"][0]["alias"] == replaced["alias"]


def _load(joined: Joined) -> None:
    """Keep the link busy until it goes."""
    joined.call(
        "Binary = binary:copy(<<0>>, 1024 * 1024),"
        "Loop = fun Again(0) -> ok; Again(N) ->"
        " case catch erpc:call(Alias, erlang, byte_size, [Binary], 5000) of"
        " 1048576 -> Again(N - 1); _ -> gone end end, Loop(5000)."
    )


def test_a_server_that_is_away_for_half_a_minute_ends_no_session(tmp_path: Path) -> None:
    with world(tmp_path) as there, there.joined() as joined:
        assert joined.call("net_adm:ping(Alias).") == "pong"
        there.api.go_away()
        back = time.monotonic() + 30
        joined.session.wait_event("link-down", 30)
        while time.monotonic() < back:
            assert joined.call("net_adm:ping(Alias).") == "pang"
        lost = joined.session.wait_event("target-lost", 30)
        there.api.come_back()
        wait_until(lambda: joined.call("net_adm:ping(Alias).") == "pong", "the server is back", 60)
    assert "could not be reached" in lost["message"]


PLUGIN = """
import json, pathlib, sys
status = {"token": pathlib.Path(sys.argv[1]).read_text()}
answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
print(json.dumps({**answer, "status": status}))
"""


def test_a_token_that_expires_is_renewed_for_the_next_link(tmp_path: Path) -> None:
    token, program = tmp_path / "token", tmp_path / "plugin.py"
    program.write_text(PLUGIN)
    user = by_exec(sys.executable, str(program), str(token))
    with world(tmp_path) as there:
        token.write_text(there.api.token)
        with there.joined(user=user) as joined:
            assert joined.call("net_adm:ping(Alias).") == "pong"
            token.write_text(there.api.users.add("later", "system:masters"))
            there.api.users.expire(there.api.token)
            there.api.cut_connections()
            joined.session.wait_event("link-down", 30)
            wait_until(lambda: joined.call("net_adm:ping(Alias).") == "pong", "a link as later", 60)


def test_every_answer_takes_three_seconds(tmp_path: Path) -> None:
    with world(tmp_path) as there:
        there.api.faults.delay(3)
        with there.joined() as joined:
            assert joined.call("net_adm:ping(Alias).") == "pong"


def test_several_pods_are_listed_and_chosen(tmp_path: Path) -> None:
    with world(tmp_path, replicas=2) as there:
        first, second = sorted(there.shop.pods, key=lambda pod: pod.name)
        with there.session() as session:
            assert session.ready(60)["aliases"][0]["node"] == first.node.name
            assert any(second.address in one.get("message", "") for one in session.events)
        with there.session("--node", second.address) as session:
            assert session.ready(60)["aliases"][0]["node"] == second.node.name
        with there.session("-o", f"pod={second.name}") as session:
            assert session.ready(60)["aliases"][0]["node"] == second.node.name
        with there.session("--all") as session:
            nodes = {alias["node"] for alias in session.ready(60)["aliases"]}
            assert nodes == {first.node.name, second.node.name}


@pytest.mark.parametrize("target", ["deploy/shop", "shop"])
def test_the_role_of_a_refusal_suffices(tmp_path: Path, target: str) -> None:
    with world(tmp_path) as there:
        user = by_token(there.api.users.add("robot"))
        with there.session(target=target, user=user) as session:
            refused = session.wait_event("error", 30)
            assert session.wait() == 77
        grant(there.api, yaml.safe_load(refused["remedy"].split("\n\n", 1)[1]))
        with there.joined(target=target, user=user) as joined:
            assert joined.call("net_adm:ping(Alias).") == "pong"


def test_the_smallest_role_suffices_and_none_of_its_rules_is_too_much(tmp_path: Path) -> None:
    with world(tmp_path) as there:
        role = smallest_role(there)
        user = by_token(there.api.users.add("robot"))
        grant(there.api, role)
        with there.joined(user=user) as joined:
            assert joined.call("net_adm:ping(Alias).") == "pong"
        for number in range(len(role["rules"])):
            less = [*role["rules"][:number], *role["rules"][number + 1 :]]
            grant(there.api, {**role, "rules": less})
            with there.session(user=user) as session:
                assert session.wait(30) == 77


def test_the_role_of_the_documentation_is_the_smallest(tmp_path: Path) -> None:
    with world(tmp_path) as there:
        assert yaml.safe_load(PAGE.read_text().split("```yaml\n")[1].split("```")[0]) == (
            smallest_role(there)
        )


def smallest_role(there: World) -> dict[str, Any]:
    """What ``erlconnect doctor --role`` prints for the administrator."""
    kubeconfig = there.api.kubeconfig(there.folder / "admin", namespace="shop")
    words = ("doctor", "-b", "kubernetes", "deploy/shop", "--role")
    done = subprocess.run(
        [COMMAND, *words, "-o", f"kubeconfig={kubeconfig}"],
        env={**os.environ, **there.here.environment()},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    role: dict[str, Any] = yaml.safe_load(done.stdout)
    return role


def grant(api: KubernetesApi, role: Mapping[str, Any]) -> None:
    """Apply the Role, and bind it to ``robot``."""
    api.objects.put(role)
    api.objects.put(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "erlconnect", "namespace": "shop"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": role["metadata"]["name"],
            },
            "subjects": [{"kind": "User", "name": "robot"}],
        }
    )
