"""A page of the documentation as a reader follows it: each line pasted into the terminal it is for.

The page's prose says which terminal a block is for, and which keys are pressed between blocks.
What comes back has to be what the page shows, apart from numbers and from how much is left out
by ``...``.
"""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.terminal import AtTerminal

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TERMINAL: Final = re.compile(r"\b(first|second|third|fourth) terminal")
_KEYS: Final = re.compile(r"Ctrl-([A-Z])(?: and `(\w)`)?\s+in\s+the\s+(\w+)\s+terminal")
_PROMPT: Final = re.compile(r"(\$|\(\S+@\S+\)\d+>)(?: (.*))?$")
_HEREDOC: Final = re.compile(r"<<'(\w+)'$")
_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is typed behind a prompt in a terminal, and the lines that the page shows below it."""

    terminal: str
    prompt: str
    typed: str
    shown: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Ctrl and a letter, and what is typed at the question that this brings up."""

    terminal: str
    control: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Lines that are on the screen of a terminal without anything being typed."""

    terminal: str
    shown: tuple[str, ...]


def steps(page: str) -> Iterator[Step | Keys | Told]:
    """All that a reader of ``page`` does and sees, in its order."""
    terminal, position = "", 0
    for block in [*_BLOCK.finditer(page), None]:
        prose = page[position : block.start() if block else len(page)]
        yield from _keys(prose)
        terminal = (_TERMINAL.findall(" ".join(prose.split())) or [terminal])[-1]
        if block is None or not terminal:
            continue
        position = block.end()
        if block[1] == "console":
            yield from _typed(terminal, block[2].splitlines())
        elif block[1] == "text":
            yield Told(terminal=terminal, shown=tuple(block[2].splitlines()))


def _keys(prose: str) -> Iterator[Keys]:
    for letter, answer, terminal in _KEYS.findall(prose):
        yield Keys(terminal=terminal, control=chr(ord(letter) - ord("@")), answer=answer)


def _typed(terminal: str, lines: list[str]) -> Iterator[Step]:
    rest = list(lines)
    while rest:
        found = _PROMPT.match(rest.pop(0))
        assert found, f"a block begins without a prompt: {lines}"
        typed = [found[2] or ""]
        if heredoc := _HEREDOC.search(typed[0]):
            end = rest.index(heredoc[1]) + 1
            typed, rest = [*typed, *rest[:end]], rest[end:]
        size = next((number for number, line in enumerate(rest) if _PROMPT.match(line)), len(rest))
        shown, rest = rest[:size], rest[size:]
        yield Step(terminal=terminal, prompt=found[1], typed="\n".join(typed), shown=tuple(shown))


def follow(step: Step | Keys | Told, at: AtTerminal, home: str) -> None:
    """Do what the step says at its terminal, and see there what the page shows."""
    match step:
        case Step():
            at.wait_until(lambda screen: screen.rstrip().endswith(step.prompt), _SECONDS)
            if step.typed:
                at.type(step.typed.replace("\n", "\r") + "\r")
            wanted = [step.typed.splitlines()[-1] if step.typed else step.prompt, *step.shown]
        case Keys():
            at.type(step.control)
            if step.answer:
                at.wait_until(lambda screen: "(a)bort" in screen, _SECONDS)
                at.type(f"{step.answer}\r")
            return
        case Told():
            wanted = list(step.shown)
    at.wait_until(lambda screen: _in_order(wanted, screen, home), _SECONDS)


def _in_order(wanted: list[str], screen: str, home: str) -> bool:
    """Whether all lines are there, the first of them as late as possible."""
    text = _alike(screen.replace(home, "/home/me"))
    first, *rest = [_alike(line) for line in wanted if line not in ("", "...")]
    position = text.rfind(first)
    for line in rest:
        if position < 0:
            return False
        position = text.find(line, position)
    return position >= 0


def _alike(text: str) -> str:
    """``text`` without what differs from run to run: numbers, their units, the user, widths."""
    text = text.replace(f"-{getpass.getuser()}-", "-me-")
    text = re.sub(r"[0-9a-f]{8}(?=@erlconnect)", "0", text)
    text = re.sub(r"\d+(\.\d+)*", "0", text)
    return re.sub(r"\b0 (ms|s|B|kB)\b", "0", re.sub(r"[ \n]+", " ", text))
