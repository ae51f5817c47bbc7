"""Sorts ``-o KEY=VALUE`` by whom it is for; refuses to know what the offers' keys mean."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from erlconnect.configuration.session_settings import (
    SESSION_KEYS,
    SessionSettings,
    resolve_session_settings,
)
from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.errors import UnknownSettingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from erlconnect.configuration.written import Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one command line, without the prefixes ``cookie.`` and ``transport.``."""

    backend: Mapping[str, str]
    cookie: Mapping[str, str]
    transport: Mapping[str, str]
    session: SessionSettings


def parse_options(
    items: Iterable[str],
    *,
    environment: Mapping[str, str],
    written: Mapping[str, Written] = MappingProxyType({}),
) -> Options:
    """Sort ``KEY=VALUE`` items; of a key that is given twice the last value holds.

    ``written`` is what a profile says of the session's own keys.

    Raises ``UsageError`` for an item that is no ``KEY=VALUE``, ``UnknownSettingError`` for an
    unknown prefix or a bad value of the session's own keys, and ``ConfigurationError`` for a bad
    ``ERLCONNECT_SESSION_<KEY>`` in ``environment``.
    """
    groups: dict[str, dict[str, str]] = {"": {}, "cookie": {}, "transport": {}}
    session: dict[str, str] = {}
    for item in items:
        key, equals, value = item.partition("=")
        prefix, dot, rest = key.rpartition(".")
        if not equals or not key or (dot and not rest):
            raise _not_key_and_value(key)
        if prefix not in groups or (dot and not prefix):
            raise UnknownSettingError(
                f"-o {key}: nothing takes settings that begin with {prefix + dot!r}",
                remedy=f"{did_you_mean(prefix, ('cookie', 'transport'))}"
                "Possible are KEY=, cookie.KEY= and transport.KEY=.",
            )
        group = session if key in SESSION_KEYS else groups[prefix]
        group[rest] = value
    return Options(
        backend=groups[""],
        cookie=groups["cookie"],
        transport=groups["transport"],
        session=resolve_session_settings(options=session, environment=environment, written=written),
    )


def _not_key_and_value(key: str) -> UsageError:
    return UsageError(f"-o {key}: this is not KEY=VALUE", remedy="Write -o KEY=VALUE.")
