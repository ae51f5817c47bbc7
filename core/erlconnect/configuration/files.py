"""The user's configuration file: where it is, and what of it erlconnect knows.

Knows no profile and no project file. TOML: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_BYTES: Final = 1024 * 1024
_TOP_LEVEL: Final = ("plugins",)
_PLUGINS: Final = ("prefer",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a configuration file says.

    ``prefer`` maps the name of a plugin to the distribution that shall provide it.
    """

    prefer: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_configuration(named: Path | None, *, environment: Mapping[str, str]) -> Configuration:
    """Read the file of ``--config``, else of ``ERLCONNECT_CONFIG``, else the user's own.

    A file that was named has to be there; the user's own may be missing. Raises
    ``ConfigurationError`` with the line where one is known.
    """
    if named is None and environment.get("ERLCONNECT_CONFIG"):
        named = Path(environment["ERLCONNECT_CONFIG"])
    path = named or user_file(environment)
    text = _read(path, required=named is not None)
    return _understand(path, text)


def user_file(environment: Mapping[str, str]) -> Path:
    """Give the place of the user's own file: XDG, or ``%APPDATA%`` on Windows."""
    if os.name == "nt":
        import platformdirs  # noqa: PLC0415 - only Windows needs it

        folder = platformdirs.user_config_path("erlconnect", appauthor=False, roaming=True)
        return folder / "config.toml"
    folder = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():  # The XDG specification has relative ones ignored.
        home = environment.get("HOME")
        folder = (Path(home) if home else Path.home()) / ".config"
    return folder / "erlconnect" / "config.toml"


def _read(path: Path, *, required: bool) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        if required:
            raise _unreadable(path, "there is no such file") from error
        return ""
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    if len(content) > _MAX_BYTES:
        raise _unreadable(path, f"it is longer than {_MAX_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is not UTF-8 after {error.start} bytes") from error


def _unreadable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The configuration file {path} cannot be read: {reason}",
        remedy="Correct it, or name another one with --config.",
    )


def _understand(path: Path, text: str) -> Configuration:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"The configuration file {path} is not TOML: {error}", remedy="Correct that line."
        ) from error
    _only_known(path, text, content, _TOP_LEVEL)
    plugins = _table(path, text, content, "plugins")
    _only_known(path, text, plugins, _PLUGINS)
    prefer = _table(path, text, plugins, "prefer")
    for name, distribution in prefer.items():
        if not isinstance(distribution, str):
            raise _wrong(
                path, text, name, 'must be the name of a distribution, e.g. "erlconnect-nomad"'
            )
    return Configuration(prefer=MappingProxyType(prefer))


def _only_known(path: Path, text: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise ConfigurationError(
                f"{path}{_line(text, key)}: {key!r} is not a known key",
                remedy=f"{did_you_mean(key, known)}Known here: {', '.join(known)}.",
            )


def _table(path: Path, text: str, table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise _wrong(path, text, key, "must be a table")
    return value


def _wrong(path: Path, text: str, key: str, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path}{_line(text, key)}: {key!r} {what}", remedy="Correct that line."
    )


def _line(text: str, key: str) -> str:
    """Give ``", line N"`` of the first line that names ``key``; tomllib does not say where."""
    names_key = re.compile(rf"^[^#]*?[\s\[.{{,\"']?\b{re.escape(key)}\b[\"']?\s*[\].=]")
    for number, line in enumerate(text.splitlines(), start=1):
        if names_key.match(line):
            return f", line {number}"
    return ""
