"""A command as a person runs it: at a terminal, with keys to press."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyte
from end_to_end.evidence import COMMAND
from world.waiting import wait_until

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
    from types import TracebackType

_ENOUGH_SECONDS = 30.0
# Nothing scrolls away.
_LINES = 200


class AtTerminal:
    """One run whose three streams are a terminal; a context manager that ends it.

    ``screen`` is all that was written so far, control characters and all.
    """

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        program: str | Path = COMMAND,
        folder: Path | None = None,
        columns: int = 100,
    ) -> None:
        self._columns = columns
        self.keyboard, terminal = pty.openpty()
        self.screen = ""
        variables = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **environment}
        self._child = subprocess.Popen(
            [program, *arguments],
            env=variables,
            cwd=folder,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            # Its own session, and then the terminal's: as at a shell, Ctrl-C is for the child.
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # noqa: PLW1509 - runs no Python of ours beside open
        )
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.kill()
        self._child.wait(_ENOUGH_SECONDS)
        if self.keyboard >= 0:
            os.close(self.keyboard)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command alone."""
        self._child.send_signal(number)

    def ended(self, timeout: float = _ENOUGH_SECONDS) -> int:
        """The exit code of a command that ends while nobody reads what it shows."""
        return self._child.wait(timeout)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def shown(self) -> str:
        """What a person sees after all that was written, without the blanks around it."""
        emulated = pyte.Screen(self._columns, _LINES)
        pyte.Stream(emulated).feed(self.screen)
        text = "\n".join(line.rstrip() for line in emulated.display)
        return re.sub(r"\n{3,}", "\n\n", text).strip("\n")

    def type(self, text: str) -> None:
        """Press keys; ``\\x03`` is Ctrl-C."""
        os.write(self.keyboard, text.encode())

    @property
    def echoes(self) -> bool:
        """Whether what is typed is shown by the terminal itself."""
        local_modes: int = termios.tcgetattr(self.keyboard)[3]
        return bool(local_modes & termios.ECHO)

    def wait_for(self, text: str, timeout: float = _ENOUGH_SECONDS, *, number: int = 1) -> None:
        """Wait until ``text`` is on the screen; ``number`` 2 waits for the second one."""
        until = time.monotonic() + timeout
        while self.screen.count(text) < number:
            shown = self._read(until - time.monotonic())
            assert shown, f"{text!r} is not on the screen:\n{self.screen}"

    def wait_for_question(self, text: str) -> None:
        """Wait until ``text`` is on the screen and the command sleeps until it is answered.

        A Ctrl-C just before that read is one that Python hears only after it.
        """
        self.wait_for(text)
        status = Path(f"/proc/{self.pid}/status")
        wait_until(lambda: "State:\tS" in status.read_text(), f"{text!r} waits for an answer")

    def wait_until(self, seen: Callable[[str], bool], timeout: float = _ENOUGH_SECONDS) -> None:
        """Wait until ``seen`` says yes to what a person sees."""
        until = time.monotonic() + timeout
        while not seen(self.shown):
            assert self._read(until - time.monotonic()), f"it is not on the screen:\n{self.shown}"

    def hang_up(self) -> None:
        """Close the terminal, as closing its window does; nothing can be read any more."""
        os.close(self.keyboard)
        self.keyboard = -1

    def wait(self, timeout: float = _ENOUGH_SECONDS) -> int:
        """The exit code; everything shown is in ``screen`` then."""
        until = time.monotonic() + timeout
        while self.keyboard >= 0 and self._read(until - time.monotonic()):
            pass
        return self._child.wait(max(1, until - time.monotonic()))

    def _read(self, seconds: float) -> bool:
        readable, _, _ = select.select([self.keyboard], [], [], max(0, seconds))
        try:
            data = os.read(self.keyboard, 65536) if readable else b""
        except OSError:
            # Linux's way to say that nobody has the terminal open any more.
            data = b""
        self.screen += data.decode("utf-8", "replace")
        return bool(data)
