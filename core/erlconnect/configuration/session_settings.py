"""The session's own settings, which hold with every backend, and the sorting of ``-o KEY=VALUE``.

``-o`` items are sorted by prefix: the session, the backend, ``cookie.`` and ``transport.``. The
settings of plugins are validated later, in ``settings``. Nothing heavy is imported here, because
``profile_schema`` and completion need the keys.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.paths import beside
from erlconnect.configuration.problems import did_you_mean
from erlconnect.errors import ConfigurationError, UnknownSettingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from erlconnect.configuration.problems import ConfigValue

SESSION_PREFIX: Final = "ERLCONNECT_SESSION_"
_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """The settings of a session, independent of the backend.

    ``None`` leaves a port or the node name as the backend found it. ``node`` is a template or a
    literal name. ``max_frame`` is the number of bytes of the longest unfragmented frame.
    ``look_again`` is the number of seconds between two discoveries of all instances, for a backend
    that cannot watch for changes. ``local_tls_cert`` and ``local_tls_key`` are files for local
    nodes that speak TLS.
    """

    epmd_port: int | None = None
    dist_port: int | None = None
    node: str | None = None
    # Such a frame is held whole, so this bounds the memory (docs/explanation/connection.md).
    max_frame: int = 256 * _MEGABYTE
    look_again: int = 10
    local_tls_cert: Path | None = None
    local_tls_key: Path | None = None


SESSION_KEYS: Final = tuple(field.name.replace("_", "-") for field in fields(SessionSettings))
PATHS: Final = ("local-tls-cert", "local-tls-key")
RANGES: Final = {
    "epmd-port": (1, 65535),
    "dist-port": (1, 65535),
    # OTP cuts fragments at 64 KB, so a smaller limit helps nobody; the length field of a frame has
    # four bytes ("Protocol between Connected Nodes").
    "max-frame": (_MEGABYTE, 2**32 - 1),
    "look-again": (1, 3600),
}


def resolve_session_settings(
    *,
    options: Mapping[str, str],
    environment: Mapping[str, str],
    written: Mapping[str, ConfigValue] = MappingProxyType({}),
) -> SessionSettings:
    """Read the session's keys: ``-o`` over ``ERLCONNECT_SESSION_<KEY>`` over a profile's values.

    Raises ``UnknownSettingError`` for a value in ``options`` and ``ConfigurationError`` for a
    variable that cannot be used. ``written`` was validated when its file was read.
    """
    values: dict[str, Any] = {
        key: beside(one.file, str(one.value)) if key in PATHS else one.value
        for key, one in written.items()
    }
    for key, (variable, text) in session_variables(environment).items():
        try:
            values[key] = _parsed(key, text)
        except ValueError as error:
            raise ConfigurationError(
                f"The variable {variable}={text} cannot be used: {error}",
                remedy=f"Correct or unset {variable}.",
            ) from None
    for key, text in options.items():
        try:
            values[key] = _parsed(key, text)
        except ValueError as error:
            raise UnknownSettingError(
                f"-o {key}={text} cannot be used: {error}", remedy="Give another value."
            ) from None
    return SessionSettings(**{key.replace("-", "_"): values[key] for key in values})


def session_variables(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the variable and its text for each key that ``environment`` sets; empty is unset.

    Raises ``ConfigurationError`` for a variable of the session that names no setting.
    """
    known = {SESSION_PREFIX + key.replace("-", "_").upper(): key for key in SESSION_KEYS}
    for variable in environment:
        # A variable that sets nothing is probably mistyped, so it is an error.
        if variable.startswith(SESSION_PREFIX) and variable not in known:
            raise ConfigurationError(
                f"The variable {variable} names no setting of the session",
                remedy=f"{did_you_mean(variable, known)}Possible are: {', '.join(known)}.",
            )
    return {
        key: (variable, environment[variable])
        for variable, key in known.items()
        if environment.get(variable)
    }


def _parsed(key: str, text: str) -> int | str | Path:
    if key not in RANGES:
        if not text:
            # An empty variable counts as unset and does not come here; an empty option is a
            # mistake.
            raise ValueError("it is empty")
        return Path(text) if key in PATHS else text
    lowest, highest = RANGES[key]
    # int() alone would take signs, spaces, underscores and the digits of other scripts.
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
        raise ValueError(f"it must be a number from {lowest} to {highest}")
    return int(text)


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
    written: Mapping[str, ConfigValue] = MappingProxyType({}),
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
            raise _unknown_prefix(key, prefix, dot)
        # No backend may have a setting of that name; ``plugin_manager.validation`` refuses it.
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


def _unknown_prefix(key: str, prefix: str, dot: str) -> UnknownSettingError:
    return UnknownSettingError(
        f"-o {key}: nothing takes settings that begin with {prefix + dot!r}",
        remedy=f"{did_you_mean(prefix, ('cookie', 'transport'))}"
        "Possible are KEY=, cookie.KEY= and transport.KEY=.",
    )
