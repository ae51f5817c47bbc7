"""Whether a file holds what erlconnect knows, in the types that it takes.

Knows every key except the settings of plugins, which only the plugins can judge. Never quotes the
value of a cookie: what is refused there may be the secret itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.profile_keys import (
    PLUGIN_NAME,
    PROFILE_KEYS,
    SERVICE_KEYS,
    name_fault,
)
from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.redaction import remember

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from erlconnect.configuration.documents import Document
    from erlconnect.configuration.problems import Problem
    from erlconnect.configuration.profile_keys import ProfileKey
    from erlconnect.configuration.toml_lines import KeyPath

_TOP_LEVEL: Final = ("default-profile", "profiles", "plugins")
_PLUGINS: Final = ("prefer",)
_PLAIN: Final = (str, int, float, bool)
_CORRECT: Final = "Correct that line."


def shape_problems(document: Document) -> Iterator[Problem]:
    """Give all that is wrong with the shape of a file, in the order of its tables."""
    yield from _unknown(document, (), document.content, _TOP_LEVEL)
    default = document.content.get("default-profile", "any")
    if not isinstance(default, str) or not default:
        yield document.problem(
            ("default-profile",), "'default-profile' must be the name of a profile", _CORRECT
        )
    plugins, problems = _table(document, (), document.content, "plugins")
    yield from problems
    yield from _plugins_problems(document, plugins)
    profiles, problems = _table(document, (), document.content, "profiles")
    yield from problems
    for name, table in profiles.items():
        yield from _profile_problems(document, name, table)


def _plugins_problems(document: Document, plugins: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _unknown(document, ("plugins",), plugins, _PLUGINS)
    prefer, problems = _table(document, ("plugins",), plugins, "prefer")
    yield from problems
    for name, distribution in prefer.items():
        if not isinstance(distribution, str):
            keys = ("plugins", "prefer", name)
            what = 'must be the name of a distribution, e.g. "erlconnect-nomad"'
            yield document.problem(keys, f"{name!r} {what}", _CORRECT)


def _profile_problems(document: Document, name: str, table: object) -> Iterator[Problem]:
    path: KeyPath = ("profiles", name)
    if fault := name_fault(name):
        yield document.problem(path, f"{name!r} {fault}", "Give it another name.")
    if not isinstance(table, dict):
        yield document.problem(path, f"{name!r} must be a table", _CORRECT)
        return
    yield from _values_problems(document, path, table, PROFILE_KEYS)
    services = table.get("services", {})
    for service, inner in services.items() if isinstance(services, dict) else ():
        place = (*path, "services", service)
        if isinstance(inner, dict):
            yield from _values_problems(document, place, inner, SERVICE_KEYS)
        else:
            yield document.problem(place, f"{service!r} must be a table", _CORRECT)


def _values_problems(
    document: Document, path: KeyPath, table: Mapping[str, Any], known: Mapping[str, ProfileKey]
) -> Iterator[Problem]:
    # An unknown table may be that of a backend; which ones are installed is not known here.
    judged = [key for key, value in table.items() if not _may_be_a_backend(key, value)]
    yield from _unknown(document, path, judged, known)
    for key, value in table.items():
        if key == "cookie" and (refused := _literal_cookie(document, path, value)):
            yield refused
        elif key in known and (fault := known[key].fault(value)):
            yield document.problem((*path, key), f"{key!r} {fault}", _CORRECT)
        elif isinstance(value, dict) and key != "services":
            yield from _nested(document, (*path, key), value)


def _may_be_a_backend(key: str, value: object) -> bool:
    return isinstance(value, dict) and key not in {*PROFILE_KEYS, *SERVICE_KEYS}


def _literal_cookie(document: Document, path: KeyPath, value: object) -> Problem | None:
    if not isinstance(value, str):
        return None
    if not PLUGIN_NAME.fullmatch(value):
        remember(value)
    return document.problem(
        (*path, "cookie"),
        "a cookie itself does not belong into a file",
        'Say where it is: cookie = { from = "env", name = "SHOP_COOKIE" } or '
        'cookie = { from = "file", path = "shop.cookie" }. Change the cookie if it was in there.',
    )


def _nested(document: Document, path: KeyPath, table: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in table.items():
        if not all(type(one) in _PLAIN for one in (value if isinstance(value, list) else [value])):
            what = f"{key!r} must be a text, a number, true, false or a list of those"
            yield document.problem((*path, key), what, _CORRECT)


def _unknown(
    document: Document, path: KeyPath, table: Iterable[str], known: Iterable[str]
) -> Iterator[Problem]:
    for key in table:
        if key not in known:
            yield document.problem(
                (*path, key),
                f"{key!r} is not a known key",
                f"{did_you_mean(key, known)}Known here: {', '.join(known)}.",
            )


def _table(
    document: Document, path: KeyPath, table: Mapping[str, Any], key: str
) -> tuple[Mapping[str, Any], list[Problem]]:
    value = table.get(key, {})
    if isinstance(value, dict):
        return value, []
    return {}, [document.problem((*path, key), f"{key!r} must be a table", _CORRECT)]
