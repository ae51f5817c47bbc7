"""Recording what a person types at a terminal and sees there, as blocks of the documentation.

Everything that is shown really ran. Only what belongs to this machine alone is replaced: its
folders, its user's name, and ports that the tests had to choose.
"""

from __future__ import annotations

import contextlib
import getpass
from typing import TYPE_CHECKING, Final

from end_to_end.terminal import AtTerminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from end_to_end.machine import Machine

_COLUMNS: Final = 200
_SECONDS: Final = 60.0


class Recording:
    """One recorded session on the machine ``here``; its commands find ``environment``.

    ``replaced`` are texts of this machine and what stands for them on the page.
    """

    def __init__(
        self, here: Machine, environment: Mapping[str, str], replaced: Mapping[str, str]
    ) -> None:
        self.here = here
        self._environment = dict(environment)
        self._replaced = {**replaced, f"-{getpass.getuser()}-": "-me-"}
        self._folder: Path | None = None
        self._blocks: list[str] = []

    @property
    def text(self) -> str:
        """All that was recorded, as it stands on the page."""
        return "\n\n".join(self._blocks)

    def go_to(self, folder: Path) -> None:
        """Run what follows in this folder."""
        self._folder = folder

    def run(self, line: str) -> None:
        """Run a line of the shell to its end."""
        with self._at_terminal(line) as terminal:
            terminal.wait(_SECONDS)
            self._add(line, terminal.shown)

    @contextlib.contextmanager
    def running(self, line: str, *, until: str) -> Iterator[None]:
        """Run a line that stays in the foreground, up to Ctrl-C at the end of the context.

        Recorded is what stands on the screen when ``until`` has come.
        """
        with self._at_terminal(line) as terminal:
            terminal.wait_for(until, _SECONDS)
            self._add(line, terminal.shown)
            yield
            terminal.type("\x03")
            terminal.wait(_SECONDS)

    def talk(
        self, line: str, *exchanges: tuple[str, str], last: str, leaving: Sequence[tuple[str, str]]
    ) -> None:
        """Run a line that asks for input: wait for each prompt, type each answer, then ``last``.

        What is typed to leave it, ``leaving``, is not recorded any more.
        """
        with self._at_terminal(line) as terminal:
            for prompt, answer in exchanges:
                terminal.wait_for(prompt, _SECONDS)
                terminal.type(f"{answer}\r")
            terminal.wait_for(last, _SECONDS)
            self._add(line, terminal.shown)
            for prompt, keys in leaving:
                terminal.wait_for(prompt, _SECONDS)
                terminal.type(keys)
            terminal.wait(_SECONDS)

    def _at_terminal(self, line: str) -> AtTerminal:
        return AtTerminal(
            "-c",
            f"exec env {line}",
            environment=self._environment,
            program="/bin/sh",
            folder=self._folder,
            columns=_COLUMNS,
        )

    def _add(self, line: str, shown: str) -> None:
        block = f"$ {line}\n{shown}".rstrip()
        for ours, theirs in self._replaced.items():
            block = block.replace(ours, theirs)
        self._blocks.append(block)
