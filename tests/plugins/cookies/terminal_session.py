"""A child on a real terminal of its own, seen from the other side of a pty."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

ENOUGH_SECONDS = 30.0


class TerminalSession:
    """Runs a Python program whose controlling terminal is a pty; its stdin is /dev/null."""

    def __init__(self, program: str) -> None:
        # This end of the terminal is kept, so that the screen outlives the child.
        self._keyboard, self._terminal = pty.openpty()
        self.screen = ""
        # The first terminal that the leader of a session opens is the one that controls it.
        take = f"import os; os.open({os.ttyname(self._terminal)!r}, os.O_RDWR)\n"
        self.process = subprocess.Popen(
            [sys.executable, "-c", take + program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._keyboard)
        os.close(self._terminal)

    def type(self, text: bytes) -> None:
        os.write(self._keyboard, text)

    @property
    def echoes(self) -> bool:
        local_modes: int = termios.tcgetattr(self._terminal)[3]
        return bool(local_modes & termios.ECHO)

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + ENOUGH_SECONDS
        while text not in self.screen:
            if not self._read(until - time.monotonic()):
                raise AssertionError(f"{text!r} is not on the screen: {self.screen!r}")

    def end(self) -> tuple[int, str, str]:
        """Wait for the child; return its exit code, stdout and stderr."""
        output, errors = self.process.communicate(timeout=ENOUGH_SECONDS)
        while self._read(0):
            pass
        return self.process.returncode, output, errors

    def _read(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._keyboard], [], [], max(0, seconds))
        if readable:
            self.screen += os.read(self._keyboard, 4096).decode()
        return bool(readable)
