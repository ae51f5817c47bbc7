"""Other Erlang releases than the machine's: small Debian trees that nodes run in by chroot.

``python -m world.releases`` builds what is missing; tests only ask which are there.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from world.debian import source_line

_SUITES: Final = {"23": "bullseye", "27": "trixie", "29": "sid"}
# sh and its friends, because erl is a shell script and such a tree has only what is named here.
_PACKAGES: Final = "dash,coreutils,sed,erlang-base,erlang-ssl,elixir"
_FOLDER: Final = Path(__file__).parents[2] / ".world"
_BUILD_SECONDS: Final = 600


def available() -> dict[str, Path]:
    """The built trees by OTP release, if this user may run something in them."""
    trees = {release: _FOLDER / f"otp{release}" for release in _SUITES}
    return {release: tree for release, tree in trees.items() if os.geteuid() == 0 and tree.is_dir()}


def build(release: str) -> None:
    """Build the tree of one release in the cache. Raises CalledProcessError, LookupError."""
    tree = _FOLDER / f"otp{release}"
    unfinished = _FOLDER / f"otp{release}.unfinished"
    _FOLDER.mkdir(exist_ok=True)
    with (_FOLDER / f"otp{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if tree.is_dir():
            return
        shutil.rmtree(unfinished, ignore_errors=True)
        _bootstrap(_SUITES[release], unfinished)
        _check_release(release, unfinished)
        shutil.copy("/etc/hosts", unfinished / "etc" / "hosts")
        (unfinished / "tmp").mkdir(exist_ok=True)
        unfinished.rename(tree)


def _bootstrap(suite: str, tree: Path) -> None:
    words = [
        "mmdebstrap",
        *("--quiet", "--variant=extract", "--mode=root", f"--include={_PACKAGES}"),
        # Without it the newer trees have no /lib64, where every program's loader is looked for.
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        # The newest suite's index is at times past its date on a mirror.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        *(suite, str(tree), source_line(suite)),
    ]
    subprocess.run(
        words, check=True, timeout=_BUILD_SECONDS, stdin=subprocess.DEVNULL, capture_output=True
    )


def _check_release(release: str, tree: Path) -> None:
    found = sorted(path.name for path in tree.glob("usr/lib/erlang/releases/[0-9]*"))
    if found != [release]:
        raise LookupError(f"Debian's {_SUITES[release]} now has OTP {' and '.join(found)}")


def main() -> int:
    """Build every missing tree; say what was done; 1 if one could not be built."""
    failures = 0
    for release in _SUITES.keys() - available().keys():
        print(f"building OTP {release}", flush=True)
        try:
            build(release)
        except (subprocess.SubprocessError, LookupError, OSError) as error:
            failures += 1
            said = getattr(error, "stderr", None) or b""
            print(f"OTP {release} cannot be built: {error}\n{said.decode()}", flush=True)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
