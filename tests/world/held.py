"""What a process holds, so that a test can see what it has kept."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    """Descriptors, threads, and kilobytes in memory."""

    descriptors: int
    threads: int
    memory: int


def held(pid: int) -> Held:
    """Look at a process of this machine."""
    status = Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return Held(
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(fields["Threads"]),
        memory=int(fields["VmRSS"].split()[0]),
    )
