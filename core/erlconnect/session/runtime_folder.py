"""The folder where this user's running sessions keep what is theirs, and nobody else can look.

Knows where it is and who may own it; what is in it is known by ``slots``.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def runtime_folder(environment: Mapping[str, str]) -> Path:
    """Say where it is: in XDG_RUNTIME_DIR, else among the temporary files. It may be missing."""
    base = environment.get("XDG_RUNTIME_DIR", "")
    if base and _is_own(Path(base)):
        return Path(base) / "erlconnect"
    return Path(tempfile.gettempdir()) / f"erlconnect-{os.getuid()}"


def make_runtime_folder(environment: Mapping[str, str]) -> Path:
    """Give the folder, made now if it is missing."""
    try:
        folder = runtime_folder(environment)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
    except OSError as error:
        raise ConfigurationError(
            f"a folder for the locks of sessions could not be made: {error}",
            remedy="Set TMPDIR or XDG_RUNTIME_DIR to a folder that you may write to.",
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigurationError(
            f"{folder} belongs to somebody else", remedy="Remove it, or set XDG_RUNTIME_DIR."
        )
    return folder


def _is_own(folder: Path) -> bool:
    """Say whether the folder is there and the user's: after ``su`` it is another one's."""
    try:
        return folder.stat().st_uid == os.getuid()
    except OSError:
        return False
