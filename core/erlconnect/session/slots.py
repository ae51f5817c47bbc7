"""A small number for each running session of a user, free again when the session ends.

It is a locked file: the lock goes with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST: Final = 1000


@contextlib.contextmanager
def session_slot(environment: Mapping[str, str]) -> Iterator[int]:
    """Hold the lowest free slot, from 0 on."""
    for slot in range(_MOST):
        folder = _folder(environment)
        path = folder / f"session-{slot}.lock"
        descriptor = _locked(path)
        if descriptor is not None:
            try:
                yield slot
            finally:
                path.unlink(missing_ok=True)
                os.close(descriptor)
                with contextlib.suppress(OSError):
                    folder.rmdir()
            return
    raise ConfigurationError(
        f"{_MOST} sessions hold locks in {folder}", remedy="End some of them, or empty the folder."
    )


def _locked(path: Path) -> int | None:
    """Lock ``path``; ``None`` where another session has it, or removes the folder just now."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The session before may have removed the file between our open and our lock.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _folder(environment: Mapping[str, str]) -> Path:
    """Give a folder of the user's own: in XDG_RUNTIME_DIR, else among the temporary files."""
    base = environment.get("XDG_RUNTIME_DIR", "")
    name = "erlconnect" if _is_own(base) else f"erlconnect-{os.getuid()}"
    try:
        folder = Path(base if _is_own(base) else tempfile.gettempdir()) / name
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


def _is_own(folder: str) -> bool:
    """Say whether the folder is there and the user's: after ``su`` it is another one's."""
    try:
        return bool(folder) and Path(folder).stat().st_uid == os.getuid()
    except OSError:
        return False
