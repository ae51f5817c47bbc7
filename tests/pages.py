"""Reading the project's Markdown: its pages, sections, tables, code and command lines."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT: Final = Path(__file__).parents[1]
_FENCED: Final = re.compile(r"^ *```(.*?)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_CODE: Final = re.compile(r"`([^`]+)`")


def front_pages() -> list[Path]:
    """Those in the project's own folder."""
    return sorted(PROJECT.glob("*.md"))


def pages() -> list[Path]:
    return [*front_pages(), *sorted((PROJECT / "docs").rglob("*.md"))]


def own_pages() -> list[Path]:
    """Without those that show a third party's plugin, which has settings of its own."""
    return [page for page in pages() if page.parent.name != "plugins"]


def page(name: str) -> str:
    return (PROJECT / "docs" / name).read_text()


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.*)$", _FENCED.sub("", text), re.MULTILINE)


def section(text: str, heading: str) -> str:
    """The text below ``## heading``, up to the next one."""
    before, found, rest = text.partition(f"\n## {heading}\n")
    assert found, f"there is no heading {heading!r} after {before[:40]!r}"
    return rest.partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables in ``text``, without the lines that head them."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    rules = [number for number, row in enumerate(cells) if set("".join(row)) <= {"-"}]
    heads = {number - 1 for number in rules}
    return [row for number, row in enumerate(cells) if number not in {*rules, *heads}]


def codes(text: str) -> list[str]:
    """What stands between backticks, outside of blocks; a line's end in it counts as a blank."""
    return [" ".join(code.split()) for code in _CODE.findall(_FENCED.sub("", text))]


def blocks(text: str, language: str) -> list[str]:
    return [code for kind, code in _FENCED.findall(text) if kind.split(" ")[0] == language]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command that a page shows: after a ``$``, or in backticks."""
    for block in blocks(text, "console"):
        for line in re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE):
            yield shlex.split(line.replace("\\\n", " "), comments=True)
    for code in codes(text):
        if code.startswith(("erlconnect ", "-")):
            yield shlex.split(code) if code.count("'") % 2 == 0 else code.split()


def words_for_erlconnect(command: list[str]) -> list[str]:
    """What ``erlconnect`` gets of a command; all of it where that begins with an option."""
    if command and command[0].startswith("-"):
        return command
    if "erlconnect" not in command:
        return []
    words = command[command.index("erlconnect") + 1 :]
    ends = [number for number, word in enumerate(words) if word in {"|", "&&", ";", "--"}]
    return words[: min(ends, default=len(words))]
