"""Faults come when a test asks for them, meet what they are meant for, and go."""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

import pytest
from kubernetes_double.asking import ask, asking

if TYPE_CHECKING:
    from world.kubernetes.api import KubernetesApi
    from world.kubernetes.kubectl import Kubectl

PODS = "/api/v1/namespaces/shop/pods"
SECRETS = "/api/v1/namespaces/shop/secrets"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ],
)
def test_an_answer_instead(api: KubernetesApi, code: int, reason: str) -> None:
    api.faults.answer(code)
    status, body = ask(api, PODS)
    assert (status, body["code"], body["reason"]) == (code, code, reason)
    api.faults.clear()
    assert ask(api, PODS)[0] == 200


def test_only_what_is_meant_and_only_so_often(api: KubernetesApi) -> None:
    api.faults.answer(503, where="^GET .*/secrets", times=2)
    assert [ask(api, path)[0] for path in (PODS, SECRETS, SECRETS, SECRETS)] == [200, 503, 503, 200]


def test_when_to_come_back(api: KubernetesApi, kubectl: Kubectl) -> None:
    api.faults.answer(429, where="/pods", times=1, headers={"Retry-After": "1"})
    began = time.monotonic()
    assert kubectl.says("get", "pods", "-o", "name") == "pod/shop-1"
    assert time.monotonic() - began > 0.9  # kubectl obeys the header
    assert len(api.requests.seen("GET .*/pods")) == 2


def test_latency(api: KubernetesApi) -> None:
    api.faults.delay(0.5, where="/pods")
    began = time.monotonic()
    assert ask(api, PODS)[0] == 200
    assert time.monotonic() - began > 0.45


def test_a_reset(api: KubernetesApi) -> None:
    api.faults.reset(times=1)
    with pytest.raises(ConnectionResetError):
        ask(api, PODS)
    assert ask(api, PODS)[0] == 200


def test_the_server_away_and_back(api: KubernetesApi) -> None:
    for _ in range(2):
        api.go_away()
        with pytest.raises(ConnectionRefusedError):
            ask(api, PODS)
        api.come_back()
        assert ask(api, PODS)[0] == 200


def test_a_token_that_has_expired(api: KubernetesApi) -> None:
    token = api.users.add("dev", "system:masters")
    assert ask(api, PODS, token=token)[0] == 200
    api.users.expire(token)
    assert ask(api, PODS, token=token)[0] == 401


def test_a_cut_in_the_middle_of_an_answer(api: KubernetesApi) -> None:
    with asking(api, f"{PODS}?watch=true") as watch:
        assert watch.readline()
        api.cut_connections()
        with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            watch.read()
