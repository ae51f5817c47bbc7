"""The objects that a variable may come from, so that a Role can name them."""

from __future__ import annotations

from typing import Any

from erlconnect_backends.kubernetes_cluster.questions import CONFIG_MAP, SECRET
from erlconnect_backends.kubernetes_cluster.variable_sources import sources_of

CONTAINER: dict[str, Any] = {
    "env": [
        {"name": "PART", "valueFrom": {"configMapKeyRef": {"name": "parts", "key": "a"}}},
        {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "others", "key": "a"}}},
        {"name": "WHOLE", "value": "$(PART)-$(NOBODY)"},
        {"name": "COOKIE", "value": "$(WHOLE)"},
        {"name": "COOKIE", "valueFrom": {"secretKeyRef": {"name": "cookies", "key": "a"}}},
    ],
    "envFrom": [{"secretRef": {"name": "all"}}, {"configMapRef": {"name": "all"}}],
}


def test_references_are_followed_and_other_variables_left_out() -> None:
    assert sources_of(CONTAINER, ["COOKIE"]) == {
        (SECRET, "cookies"),
        (CONFIG_MAP, "parts"),
        (SECRET, "all"),
        (CONFIG_MAP, "all"),
    }


def test_whole_sources_may_hold_any_variable() -> None:
    assert sources_of(CONTAINER, ["ELSE"]) == {(SECRET, "all"), (CONFIG_MAP, "all")}


def test_a_container_without_variables_has_none() -> None:
    assert sources_of({"name": "app"}, ["COOKIE"]) == set()
