"""Label selectors as text."""

from __future__ import annotations

import pytest

from erlconnect_backends.kubernetes_cluster.selectors import selector_text


def test_labels_and_expressions_become_one_text() -> None:
    selector = {
        "matchLabels": {"tier": "back", "app": "shop"},
        "matchExpressions": [
            {"key": "track", "operator": "In", "values": ["stable", "canary"]},
            {"key": "zone", "operator": "NotIn", "values": ["b"]},
            {"key": "live", "operator": "Exists"},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert selector_text(selector) == (
        "app=shop,tier=back,track in (canary,stable),zone notin (b),live,!old"
    )


def test_an_operator_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown operator 'Near'"):
        selector_text({"matchExpressions": [{"key": "a", "operator": "Near"}]})
