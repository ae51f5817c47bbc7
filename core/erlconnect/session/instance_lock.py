"""A small number and a private folder for each running session of a user, free when it ends.

The number is a locked file that holds the process id. The system releases the lock when the process
ends, also by a crash; the next session finds what was left behind, and removes it. All of them are
in one runtime folder, which nobody but the user can enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# More sessions of one user are a mistake of a program that starts them.
_MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLock:
    """``number`` tells this user's sessions apart; ``folder`` is this session's own."""

    number: int
    folder: Path


@contextlib.contextmanager
def instance_lock(environment: Mapping[str, str]) -> Iterator[InstanceLock]:
    """Hold the lowest free number, from 0 on. Raises ``ConfigurationError``."""
    for number in range(_MOST):
        # Each time: a session that ends meanwhile may have removed it.
        base = make_runtime_dir(environment)
        descriptor = _locked(base, number)
        if descriptor is not None:
            try:
                _remove_leftovers(base)
                yield InstanceLock(number=number, folder=_make_empty(_folder(base, number)))
            finally:
                _release(base, number, descriptor)
                # It is not empty as long as other sessions run.
                with contextlib.suppress(OSError):
                    base.rmdir()
            return
    raise ConfigurationError(
        f"{_MOST} sessions hold locks in {base}", remedy="End some of them, or empty the folder."
    )


def running_instances(environment: Mapping[str, str]) -> Iterator[tuple[int, Path]]:
    """Return the process id and the folder of each session that runs, or has crashed.

    Nothing is made or removed.
    """
    base = runtime_dir(environment)
    # By length, so that session-10 comes after session-9.
    for lock in sorted(base.glob("session-*.lock"), key=lambda path: (len(path.name), path)):
        with contextlib.suppress(OSError, ValueError):
            yield int(lock.read_text()), lock.with_suffix("")


def runtime_dir(environment: Mapping[str, str]) -> Path:
    """Return the folder: in XDG_RUNTIME_DIR, else among the temporary files. It may be missing."""
    base = environment.get("XDG_RUNTIME_DIR", "")
    if base and _is_own(Path(base)):
        return Path(base) / "erlconnect"
    return Path(tempfile.gettempdir()) / f"erlconnect-{os.getuid()}"


def make_runtime_dir(environment: Mapping[str, str]) -> Path:
    """Return the folder, made now if it is missing. Raises ``ConfigurationError``."""
    try:
        folder = runtime_dir(environment)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        status = folder.lstat()
    except OSError as error:
        raise ConfigurationError(
            f"a folder for the locks of sessions could not be made: {error}",
            remedy="Set TMPDIR or XDG_RUNTIME_DIR to a folder that you may write to.",
        ) from error
    # In a shared /tmp somebody else may have made it, or a link in its place.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise ConfigurationError(
            f"{folder} belongs to somebody else", remedy="Remove it, or set XDG_RUNTIME_DIR."
        )
    return folder


def _remove_leftovers(base: Path) -> None:
    """Remove the folders of sessions that have crashed: nobody holds their lock."""
    for folder in base.glob("session-*/"):
        number = folder.name.removeprefix("session-")
        if number.isdecimal() and (descriptor := _locked(base, int(number))) is not None:
            _release(base, int(number), descriptor)


def _release(base: Path, number: int, descriptor: int) -> None:
    shutil.rmtree(_folder(base, number), ignore_errors=True)
    _lock(base, number).unlink(missing_ok=True)
    os.close(descriptor)


def _locked(base: Path, number: int) -> int | None:
    """Lock a number; ``None`` where another session has it, or removes the folder just now."""
    path = _lock(base, number)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The session before may have removed the file between our open and our lock.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _lock(base: Path, number: int) -> Path:
    return base / f"session-{number}.lock"


def _folder(base: Path, number: int) -> Path:
    return base / f"session-{number}"


def _make_empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def _is_own(folder: Path) -> bool:
    """Return whether the folder is there and the user's: after ``su`` it is another one's."""
    try:
        return folder.stat().st_uid == os.getuid()
    except OSError:
        return False
