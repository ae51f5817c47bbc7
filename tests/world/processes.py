"""Child processes of tests: started in a session of their own, drained, and surely ended.

Knows nothing of what runs in them. Ends only what it started, by process id and process group.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from itertools import islice
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

_KEPT_LINES = 200_000
_LONGEST_LINE = 1 << 20
_STOP_SECONDS = 10.0


class Process:
    """A child whose output is kept line by line; a context manager that ends it."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        """Start ``command``; ``environment`` is added to that of the tests."""
        self.command = [str(word) for word in command]
        self._lines: deque[tuple[str, str]] = deque(maxlen=_KEPT_LINES)
        self._dropped = 0
        self._changed = threading.Condition()
        self._child = subprocess.Popen(
            self.command,
            env={**os.environ, **(environment or {})},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._readers = [
            self._start_reader("stdout", self._child.stdout),
            self._start_reader("stderr", self._child.stderr),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminate()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal, ``None`` while the child runs."""
        return self._child.poll()

    @property
    def output(self) -> str:
        """Both streams in the order in which their lines came."""
        return "\n".join(line for _, line in self._snapshot())

    @property
    def stdout(self) -> str:
        return "\n".join(line for stream, line in self._snapshot() if stream == "stdout")

    @property
    def stderr(self) -> str:
        return "\n".join(line for stream, line in self._snapshot() if stream == "stderr")

    def wait_for_line(
        self, wanted: str | Callable[[str], bool], timeout: float = 10, *, stream: str | None = None
    ) -> str:
        """The first line, old or new, that contains or satisfies ``wanted``.

        Looks at each line once, in order; with ``stream`` only at those of "stdout" or "stderr".
        """
        matches = (lambda line: wanted in line) if isinstance(wanted, str) else wanted
        deadline = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                over = not any(reader.is_alive() for reader in self._readers)
                for origin, line in islice(self._lines, max(0, seen - self._dropped), None):
                    if stream in (None, origin) and matches(line):
                        return line
                seen = self._dropped + len(self._lines)
                left = deadline - time.monotonic()
                if over or left <= 0:
                    raise AssertionError(self._complaint(f"no line with {wanted!r}", timeout))
                self._changed.wait(min(left, 0.1))

    def wait(self, timeout: float = 10) -> int:
        """The exit code of a child that ends by itself; all its output is there afterwards."""
        try:
            code = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(self._complaint("still running", timeout)) from None
        self._clean_up()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone, if it still runs."""
        self._child.send_signal(number)

    def terminate(self) -> None:
        """End the child by SIGTERM, after ten seconds by SIGKILL; with it, its process group."""
        self.signal(signal.SIGTERM)
        try:
            self._child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
        self._clean_up()

    def kill(self) -> None:
        """End the child and its process group by SIGKILL."""
        self.signal(signal.SIGKILL)
        self._clean_up()

    def _clean_up(self) -> None:
        self._child.wait(_STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for reader in self._readers:
            reader.join(2)

    def _start_reader(self, name: str, stream: IO[bytes] | None) -> threading.Thread:
        assert stream is not None
        reader = threading.Thread(target=self._read, args=(name, stream), daemon=True)
        reader.start()
        return reader

    def _read(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            while data := stream.readline(_LONGEST_LINE):
                with self._changed:
                    self._dropped += len(self._lines) == _KEPT_LINES
                    self._lines.append((name, data.decode("utf-8", "replace").rstrip("\r\n")))
                    self._changed.notify_all()

    def _snapshot(self) -> list[tuple[str, str]]:
        with self._changed:
            return list(self._lines)

    def _complaint(self, what: str, timeout: float) -> str:
        said = "\n".join(line for _, line in list(self._lines)[-50:])
        state = f"exit code {self.returncode}, waited at most {timeout} s"
        return f"{what}: {' '.join(self.command)}\n({state}; it said:)\n{said}"
