"""What a test run may leave behind: processes and network namespaces of its own making.

Every process started in the run inherits a mark in its environment, daemons too, so even an epmd
that some tool started by itself is found. Sees processes only where /proc is.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

from world import namespaces
from world.waiting import wait_until

_MARK: Final = f"ERLCONNECT_TEST_RUN_{os.getpid()}"
_PROCESSES: Final = Path("/proc")
_ENDING_SECONDS: Final = 2


def mark() -> None:
    """Mark this process, so that everything it starts from now on is found."""
    os.environ[_MARK] = "1"


def end_leftovers() -> list[str]:
    """Say what was left behind, one sentence each, and end those processes."""
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not _marked_processes(), "all processes gone", _ENDING_SECONDS)
    processes = _marked_processes()
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [
        *(f"process {pid} still ran: {command}" for pid, command in processes.items()),
        *(f"network namespace {name} still existed" for name in namespaces.left_over()),
    ]


def _marked_processes() -> dict[int, str]:
    ids = [int(path.name) for path in _PROCESSES.glob("[0-9]*")]
    return {pid: _command_line(pid) for pid in ids if pid != os.getpid() and _is_marked(pid)}


def _is_marked(pid: int) -> bool:
    with contextlib.suppress(OSError):
        variables = (_PROCESSES / str(pid) / "environ").read_bytes().split(b"\0")
        return f"{_MARK}=1".encode() in variables
    return False


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        words = (_PROCESSES / str(pid) / "cmdline").read_bytes()
        return words.replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return ""
