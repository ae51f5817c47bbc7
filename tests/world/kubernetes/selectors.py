"""Label and field selectors of list and watch requests.

https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from world.kubernetes.statuses import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Matches = Callable[[Mapping[str, Any]], bool]
    Labels = Mapping[str, str]

_KEY: Final = r"(?P<key>[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?(/[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)?)"
_SET: Final = re.compile(rf"{_KEY}\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL: Final = re.compile(rf"{_KEY}\s*(?P<sign>==|=|!=)\s*(?P<value>[\w.-]*)")
_EXISTS: Final = re.compile(rf"(?P<sign>!?)\s*{_KEY}")
_FIELD: Final = re.compile(r"(?P<path>[\w.]+)(?P<sign>==|=|!=)(?P<value>.*)")


def matcher(label_selector: str, field_selector: str) -> Matches:
    """What decides whether an object is selected. Raises RefusedError for an invalid selector."""
    labels = [_label_term(term) for term in _split(label_selector)]
    fields = [_field_term(term) for term in field_selector.split(",") if term]

    def matches(item: Mapping[str, Any]) -> bool:
        own = item["metadata"].get("labels") or {}
        return all(term(own) for term in labels) and all(term(item) for term in fields)

    return matches


def _split(selector: str) -> list[str]:
    """The terms of a label selector: cut at commas that are in no parentheses."""
    return [term.strip() for term in re.split(r",(?![^(]*\))", selector) if term.strip()]


def _label_term(term: str) -> Callable[[Labels], bool]:
    if found := _SET.fullmatch(term):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["word"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUAL.fullmatch(term):
        key, value = found["key"], found["value"]
        if found["sign"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.fullmatch(term):
        key, wanted = found["key"], not found["sign"]
        return lambda labels: (key in labels) == wanted
    raise bad_request(f"unable to parse requirement: found '{term}'")


def _field_term(term: str) -> Callable[[Mapping[str, Any]], bool]:
    found = _FIELD.fullmatch(term.strip())
    if found is None:
        raise bad_request(f"invalid field selector: {term}")
    path, wanted = found["path"].split("."), found["sign"] != "!="

    def holds(item: Mapping[str, Any]) -> bool:
        value: Any = item
        for word in path:
            value = value.get(word, {}) if isinstance(value, dict) else {}
        return ((value or "") == found["value"]) == wanted

    return holds
