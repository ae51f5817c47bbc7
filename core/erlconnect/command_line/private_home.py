"""A HOME in which Erlang finds a cookie that was made for one session.

Erlang reads its cookie from HOME and nowhere else that others cannot look: arguments are open to
all, and an environment goes on to children. Everything else in it is the user's own, by links, so
that version managers and histories work.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from erlconnect.cookie_file import make_cookie_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_COOKIE: Final = ".erlang.cookie"


def private_home(folder: Path, environment: Mapping[str, str]) -> Path:
    """Make a home below ``folder``, which nobody else can enter; give its path."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    make_cookie_file(cookie_file_in(home))
    with contextlib.suppress(OSError):
        for entry in os.scandir(environment.get("HOME", "")):
            if entry.name != _COOKIE:
                (home / entry.name).symlink_to(Path(entry.path).absolute())
    return home


def cookie_file_in(home: Path) -> Path:
    """Say where Erlang looks for its cookie."""
    return home / _COOKIE
