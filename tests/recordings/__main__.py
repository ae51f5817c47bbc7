"""``./run record [NAME...]``: run the sessions that the documentation shows, and write them there.

A page holds a recording between ``<!-- recorded: NAME -->`` and ``<!-- end of NAME -->``.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from pages import pages
from recordings.sessions import SESSIONS

if TYPE_CHECKING:
    from pathlib import Path


def main(names: list[str]) -> int:
    """Record the sessions called so, or all."""
    unknown = sorted(set(names) - set(SESSIONS))
    if unknown:
        print(f"there is no recording {unknown[0]}; there are {', '.join(SESSIONS)}")
        return 2
    for name in names or SESSIONS:
        page = _page_of(name)
        print(f"recording {name} for {page.name}", flush=True)
        page.write_text(_with(page.read_text(), name, SESSIONS[name]()))
    return 0


def _page_of(name: str) -> Path:
    (page,) = [page for page in pages() if _begin(name) in page.read_text()]
    return page


def _with(text: str, name: str, recorded: str) -> str:
    block = f"{_begin(name)}\n```console\n{recorded}\n```\n{_end(name)}"
    place: Final = re.escape(_begin(name)) + ".*?" + re.escape(_end(name))
    return re.sub(place, lambda _: block, text, flags=re.DOTALL)


def _begin(name: str) -> str:
    return f"<!-- recorded: {name} -->"


def _end(name: str) -> str:
    return f"<!-- end of {name} -->"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
