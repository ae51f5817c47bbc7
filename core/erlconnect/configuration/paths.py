"""Where configuration files are, and where it is kept which of them are trusted.

Knows paths only and opens nothing. XDG: https://specifications.freedesktop.org/basedir-spec/
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT_FILE: Final = "erlconnect.toml"


class Scope(StrEnum):
    """Whose file it is; the value is the word that people read."""

    NAMED = "named"
    PROJECT = "project"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPath:
    """One file that may be read. Only one that was named has to be there."""

    path: Path
    scope: Scope


def config_paths(named: Path | None, *, environment: Mapping[str, str]) -> list[ConfigPath]:
    """Return the files to read, the one that wins first.

    The file of ``--config``, else of ``ERLCONNECT_CONFIG``, is the only one.
    """
    if named is None and environment.get("ERLCONNECT_CONFIG"):
        named = Path(environment["ERLCONNECT_CONFIG"])
    if named is not None:
        return [ConfigPath(path=named, scope=Scope.NAMED)]
    user = ConfigPath(path=user_file(environment), scope=Scope.USER)
    project = project_file(environment)
    if project is None or project == user.path:
        return [user]
    return [ConfigPath(path=project, scope=Scope.PROJECT), user]


def user_file(environment: Mapping[str, str]) -> Path:
    """Return the place of the user's own file: XDG, or ``%APPDATA%`` on Windows."""
    if os.name == "nt":
        import platformdirs  # noqa: PLC0415 - only Windows needs it

        folder = platformdirs.user_config_path("erlconnect", appauthor=False, roaming=True)
        return folder / "config.toml"
    return _xdg_folder(environment, "XDG_CONFIG_HOME", ".config") / "config.toml"


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for what erlconnect has to remember: XDG, or ``%LOCALAPPDATA%``."""
    if os.name == "nt":
        import platformdirs  # noqa: PLC0415 - only Windows needs it

        return platformdirs.user_state_path("erlconnect", appauthor=False)
    return _xdg_folder(environment, "XDG_STATE_HOME", ".local/state")


def project_file(environment: Mapping[str, str]) -> Path | None:
    """Return the nearest ``erlconnect.toml`` at or above the working directory.

    The search ends with the folder that holds ``.git``, and with the user's home.
    """
    try:
        here = Path.cwd()
    except OSError:  # Somebody has removed it.
        return None
    for folder in _upwards(here, Path(os.path.realpath(home_folder(environment)))):
        # Unlike Path.is_file, it takes a folder that may not be looked into for one without it.
        if os.path.isfile(folder / PROJECT_FILE):  # noqa: PTH113
            return folder / PROJECT_FILE
    return None


def home_folder(environment: Mapping[str, str]) -> Path:
    """Return the user's home."""
    home = environment.get("HOME")
    return Path(home) if home else Path.home()


def _upwards(here: Path, home: Path) -> Iterator[Path]:
    for folder in (here, *here.parents):
        yield folder
        if folder == home or os.path.exists(folder / ".git"):  # noqa: PTH110 - as above
            return


def _xdg_folder(environment: Mapping[str, str], variable: str, default: str) -> Path:
    folder = Path(environment.get(variable, ""))
    if not folder.is_absolute():  # The XDG specification has relative ones ignored.
        folder = home_folder(environment) / default
    return folder / "erlconnect"


def beside(file: Path, path: str) -> Path:
    """Return a path that is written in ``file``; a relative one begins at the folder of that."""
    return Path(path).expanduser() if path.startswith("~") else file.absolute().parent / path
