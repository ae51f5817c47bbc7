"""A Role holds what it has to, and nothing else."""

from __future__ import annotations

import yaml

from erlconnect_backends.kubernetes.requests import Right, role_yaml


def test_equal_verbs_share_a_rule_and_names_do_not() -> None:
    rights = [
        Right(resource="pods", verb="list"),
        Right(resource="pods", verb="get"),
        Right(resource="secrets", verb="get", name="shop"),
        Right(resource="pods/portforward", verb="get"),
        Right(resource="pods/portforward", verb="create"),
        Right(group="apps", resource="deployments", verb="get", name="shop"),
        Right(resource="pods", verb="get"),
    ]
    role = yaml.safe_load(role_yaml(rights, namespace="back"))
    assert role == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "erlconnect", "namespace": "back"},
        "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
            {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create", "get"]},
            {
                "apiGroups": [""],
                "resources": ["secrets"],
                "resourceNames": ["shop"],
                "verbs": ["get"],
            },
            {
                "apiGroups": ["apps"],
                "resources": ["deployments"],
                "resourceNames": ["shop"],
                "verbs": ["get"],
            },
        ],
    }


def test_a_right_is_worded_as_the_server_words_it() -> None:
    assert str(Right(group="apps", resource="deployments", verb="get")) == "get deployments.apps"
    assert str(Right(resource="pods/portforward", verb="create")) == "create pods/portforward"
