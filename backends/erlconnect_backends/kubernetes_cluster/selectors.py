"""Label selectors of objects as the text that an API server takes.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIGNS: Final = {"Exists": "{key}", "DoesNotExist": "!{key}"}
_SETS: Final = {"In": "in", "NotIn": "notin"}


def selector_text(selector: Mapping[str, Any]) -> str:
    """Give ``matchLabels`` and ``matchExpressions`` as one text, in a stable order.

    Raises ``ValueError`` for an operator that nobody knows.
    """
    labels = selector.get("matchLabels") or {}
    terms = [f"{key}={value}" for key, value in sorted(labels.items())]
    return ",".join([*terms, *map(_term, selector.get("matchExpressions") or ())])


def labels_text(labels: Mapping[str, str]) -> str:
    """Give the selector of a Service, which has labels alone."""
    return selector_text({"matchLabels": labels})


def _term(expression: Mapping[str, Any]) -> str:
    key, operator = expression["key"], expression["operator"]
    if operator in _SIGNS:
        return _SIGNS[operator].format(key=key)
    if operator in _SETS:
        return f"{key} {_SETS[operator]} ({','.join(sorted(expression['values']))})"
    raise ValueError(f"unknown operator {operator!r} in a label selector")
