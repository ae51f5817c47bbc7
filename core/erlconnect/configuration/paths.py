"""Where the configuration files are, and the folder for what has to be remembered.

Only paths are computed here; ``files`` opens them. Folders follow the XDG specification, or
Windows' variables: https://specifications.freedesktop.org/basedir-spec/
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
_WINDOWS: Final = os.name == "nt"


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
    """Return the user's own file: XDG, or below ``%APPDATA%`` on Windows."""
    if _WINDOWS:
        return _own_folder(environment, "APPDATA", "AppData/Roaming") / "config.toml"
    return _own_folder(environment, "XDG_CONFIG_HOME", ".config") / "config.toml"


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for what erlconnect has to remember: XDG, or ``%LOCALAPPDATA%``."""
    if _WINDOWS:
        return _own_folder(environment, "LOCALAPPDATA", "AppData/Local")
    return _own_folder(environment, "XDG_STATE_HOME", ".local/state")


def project_file(environment: Mapping[str, str]) -> Path | None:
    """Return the nearest ``erlconnect.toml`` at or above the working directory.

    The search ends with the folder that holds ``.git``, and with the user's home.
    """
    try:
        here = Path.cwd()
    except OSError:  # The working directory was removed.
        return None
    # Path.cwd() has no symbolic links in it, so the home must not have any either.
    for folder in _upwards(here, Path(os.path.realpath(home_folder(environment)))):
        # Unlike Path.is_file, os.path.isfile is false for a folder without read permission.
        if os.path.isfile(folder / PROJECT_FILE):  # noqa: PTH113
            return folder / PROJECT_FILE
    return None


def home_folder(environment: Mapping[str, str]) -> Path:
    """Return the user's home."""
    home = environment.get("HOME")
    return Path(home) if home else Path.home()


def beside(file: Path, path: str) -> Path:
    """Return a path that stands in ``file``; a relative one starts at the folder of that file."""
    return Path(path).expanduser() if path.startswith("~") else file.absolute().parent / path


def _upwards(here: Path, home: Path) -> Iterator[Path]:
    for folder in (here, *here.parents):
        yield folder
        # Not a check for a folder: in a worktree of git, .git is a file.
        if folder == home or os.path.exists(folder / ".git"):  # noqa: PTH110 - as above
            return


def _own_folder(environment: Mapping[str, str], variable: str, default: str) -> Path:
    """Return erlconnect's folder below that of ``variable``, else below ``default`` in the home."""
    folder = Path(environment.get(variable, ""))
    # The XDG specification has relative paths ignored.
    if not folder.is_absolute():
        folder = home_folder(environment) / default
    return folder / "erlconnect"
