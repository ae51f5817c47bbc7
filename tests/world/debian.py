"""Which Debian mirror this machine uses, read from apt. Names no mirror itself."""

from __future__ import annotations

import platform
import subprocess
from typing import Final

KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


def source_line(suite: str) -> str:
    """The line of a sources.list for ``suite`` on the mirror that apt uses for this machine."""
    return f"deb [signed-by={KEYRING}] {_mirror()} {suite} main"


def _mirror() -> str:
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    conditions = ["Created-By: Packages", "Component: main", f"Release: {codename}"]
    listing = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", *conditions],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    mirrors = listing.stdout.split()
    if not mirrors:
        raise LookupError(f"apt knows no mirror for {codename}")
    return mirrors[0]


if __name__ == "__main__":
    import sys

    print(source_line(sys.argv[1]))
