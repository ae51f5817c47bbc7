"""Other Erlang releases than the machine's: small Debian trees that nodes run in by chroot.

``python -m world.releases`` builds what is missing; tests only ask which are there.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from world import trees

if TYPE_CHECKING:
    from pathlib import Path

_SUITES: Final = {"23": "bullseye", "27": "trixie", "29": "sid"}
# sh and its friends, because erl is a shell script and such a tree has only what is named here.
# OTP 23 has its shell only where it knows the terminal.
_PACKAGES: Final = "dash,coreutils,sed,ncurses-base,erlang-base,erlang-ssl,elixir"


def available() -> dict[str, Path]:
    """The built trees by OTP release, if this user may run something in them."""
    found = {release: trees.available(f"otp{release}") for release in _SUITES}
    return {release: tree for release, tree in found.items() if tree}


def build(release: str) -> None:
    """Build the tree of one release. Raises CalledProcessError, LookupError."""
    check = partial(_check_release, release)
    trees.build(f"otp{release}", _SUITES[release], _PACKAGES, check)


def _check_release(release: str, tree: Path) -> None:
    found = sorted(path.name for path in tree.glob("usr/lib/erlang/releases/[0-9]*"))
    if found != [release]:
        raise LookupError(f"Debian's {_SUITES[release]} now has OTP {' and '.join(found)}")


def main() -> int:
    """Build every missing tree; say what was done; 1 if one could not be built."""
    missing = sorted(_SUITES.keys() - available().keys())
    built = [trees.build_and_tell(f"OTP {each}", partial(build, each)) for each in missing]
    return 0 if all(built) else 1


if __name__ == "__main__":
    sys.exit(main())
