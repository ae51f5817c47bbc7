"""The settings that the session itself takes with every backend, third parties' too."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.places import beside
from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.errors import ConfigurationError, UnknownSettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect.configuration.written import Written

SESSION_PREFIX: Final = "ERLCONNECT_SESSION_"
_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What holds whatever backend finds the targets.

    ``None`` leaves a port or the node name as the backend found it. ``node`` is a template or a
    literal name. ``max_frame`` is the number of bytes of the longest unfragmented frame.
    ``look_again`` is after how many seconds a backend that sees no changes by itself is asked again
    for all instances. ``local_tls_cert`` and ``local_tls_key`` are files for local nodes that speak
    TLS.
    """

    epmd_port: int | None = None
    dist_port: int | None = None
    node: str | None = None
    max_frame: int = 256 * _MEGABYTE
    look_again: int = 10
    local_tls_cert: Path | None = None
    local_tls_key: Path | None = None


SESSION_KEYS: Final = tuple(field.name.replace("_", "-") for field in fields(SessionSettings))

PATHS: Final = ("local-tls-cert", "local-tls-key")

RANGES: Final = {
    "epmd-port": (1, 65535),
    "dist-port": (1, 65535),
    # OTP cuts fragments at 64 KB; a length field of the protocol ends at 4 GB.
    "max-frame": (_MEGABYTE, 2**32 - 1),
    "look-again": (1, 3600),
}


def resolve_session_settings(
    *,
    options: Mapping[str, str],
    environment: Mapping[str, str],
    written: Mapping[str, Written] = MappingProxyType({}),
) -> SessionSettings:
    """Read the session's keys: ``-o`` over ``ERLCONNECT_SESSION_<KEY>`` over a profile's values.

    Raises ``UnknownSettingError`` for a value in ``options`` and ``ConfigurationError`` for a
    variable that cannot be used. What is ``written`` was judged when its file was read.
    """
    values: dict[str, Any] = {
        key: beside(one.path, str(one.value)) if key in PATHS else one.value
        for key, one in written.items()
    }
    for key, (variable, text) in session_variables(environment).items():
        try:
            values[key] = _value(key, text)
        except ValueError as error:
            raise ConfigurationError(
                f"The variable {variable}={text} cannot be used: {error}",
                remedy=f"Correct or unset {variable}.",
            ) from None
    for key, text in options.items():
        try:
            values[key] = _value(key, text)
        except ValueError as error:
            raise UnknownSettingError(
                f"-o {key}={text} cannot be used: {error}", remedy="Give another value."
            ) from None
    return SessionSettings(**{key.replace("-", "_"): values[key] for key in values})


def session_variables(environment: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Give the variable and its text for each key that ``environment`` sets."""
    known = {SESSION_PREFIX + key.replace("-", "_").upper(): key for key in SESSION_KEYS}
    for variable in environment:
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


def _value(key: str, text: str) -> int | str | Path:
    if key not in RANGES:
        if not text:
            raise ValueError("it is empty")
        return Path(text) if key in PATHS else text
    lowest, highest = RANGES[key]
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
        raise ValueError(f"it must be a number from {lowest} to {highest}")
    return int(text)
