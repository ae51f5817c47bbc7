"""The installed ``erlconnect`` command, run as its users run it, read through its JSON events."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_COMMAND = Path(sys.executable).with_name("erlconnect")


class ErlconnectSession:
    """One run of ``erlconnect --json``; a context manager that ends it."""

    def __init__(self, process: Process) -> None:
        """Use :meth:`start`."""
        self.process = process

    @classmethod
    def start(
        cls,
        *arguments: str,
        epmd_port: int,
        home: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start it with ``arguments`` and ``--json``.

        ``environment`` is added to the tests' own.
        """
        variables = {"ERL_EPMD_PORT": str(epmd_port), "HOME": str(home), **(environment or {})}
        return cls(Process([_COMMAND, *arguments, "--json"], environment=variables))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far. A line on stdout that is no JSON object fails the test."""
        return [_event(line) for line in self.process.stdout.splitlines()]

    @property
    def returncode(self) -> int | None:
        return self.process.returncode

    def ready(self, timeout: float = 30) -> dict[str, Any]:
        """The ``ready`` event."""
        return self.wait_event("ready", timeout)

    def ready_with(self, number: int, timeout: float = 60) -> dict[str, Any]:
        """The first ``ready`` event that lists so many aliases."""

        def is_wanted(line: str) -> bool:
            event = _event(line)
            return event["event"] == "ready" and len(event["aliases"]) == number

        return _event(self.process.wait_for_line(is_wanted, timeout, stream="stdout"))

    def wait_event(self, name: str, timeout: float = 10, *, number: int = 1) -> dict[str, Any]:
        """The event called ``name``, old or new; ``number`` 2 is the second one, and so on."""
        seen = 0

        def is_wanted(line: str) -> bool:
            nonlocal seen
            seen += _event(line)["event"] == name
            return bool(seen == number)

        return _event(self.process.wait_for_line(is_wanted, timeout, stream="stdout"))

    def interrupt(self, timeout: float = 10) -> int:
        """Ctrl-C it, and return its exit code; fail if it does not end."""
        return self._end(signal.SIGINT, timeout)

    def terminate(self, timeout: float = 10) -> int:
        """SIGTERM it, and return its exit code; fail if it does not end."""
        return self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """SIGKILL it, as a crash does."""
        self.process.kill()

    def wait(self, timeout: float = 10) -> int:
        """The exit code of a session that ends by itself."""
        return self.process.wait(timeout)

    def _end(self, number: signal.Signals, timeout: float) -> int:
        self.process.signal(number)
        return self.process.wait(timeout)


def _event(line: str) -> dict[str, Any]:
    event = json.loads(line)
    assert isinstance(event, dict), line
    assert event["schema"] == 1, line
    return event
