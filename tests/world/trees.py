"""Small Debian trees below ``.world``, whose programs run by chroot beside this machine's own.

Knows how a tree is built, whole or not at all, and by one process at a time; not what is in it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from world.debian import source_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FOLDER: Final = Path(__file__).parents[2] / ".world"
_BUILD_SECONDS: Final = 600


def available(name: str) -> Path | None:
    """The tree, if it is built and this user may run something in it."""
    tree = _FOLDER / name
    return tree if os.geteuid() == 0 and tree.is_dir() else None


def build(name: str, suite: str, packages: str, complete: Callable[[Path], None]) -> None:
    """Build a tree of ``packages`` and what they depend on, unless it is there.

    ``complete`` may add to what was built, or refuse it. Raises CalledProcessError, LookupError.
    """
    with _locked(name):
        if (_FOLDER / name).is_dir():
            return
        unfinished = _FOLDER / f"{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        _bootstrap(suite, packages, unfinished)
        complete(unfinished)
        shutil.copy("/etc/hosts", unfinished / "etc" / "hosts")
        # Without it an older libc asks DNS for localhost, and believes it.
        (unfinished / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
        (unfinished / "tmp").mkdir(exist_ok=True)
        unfinished.rename(_FOLDER / name)


def build_and_tell(what: str, building: Callable[[], None]) -> bool:
    """Build with a line that says so; whether it worked, and why not."""
    print(f"building {what}", flush=True)
    try:
        building()
    except (subprocess.SubprocessError, LookupError, OSError) as error:
        said = getattr(error, "stderr", None) or b""
        print(f"{what} cannot be built: {error}\n{said.decode()}", file=sys.stderr, flush=True)
        return False
    return True


@contextmanager
def _locked(name: str) -> Iterator[None]:
    _FOLDER.mkdir(exist_ok=True)
    with (_FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _bootstrap(suite: str, packages: str, tree: Path) -> None:
    words = [
        "mmdebstrap",
        *("--quiet", "--variant=extract", "--mode=root", f"--include={packages}"),
        # Without it the newer trees have no /lib64, where every program's loader is looked for.
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        # The newest suite's index is at times past its date on a mirror.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *(suite, str(tree), source_line(suite)),
    ]
    subprocess.run(
        words, check=True, timeout=_BUILD_SECONDS, stdin=subprocess.DEVNULL, capture_output=True
    )
