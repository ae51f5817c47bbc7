"""What the kernel says of a running process: its CPU time and its memory. Linux only."""

from __future__ import annotations

from pathlib import Path


def cpu_seconds(process: int) -> float:
    """CPU time of all threads that run now, to the nanosecond; ``/proc/PID/stat`` has ticks."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def resident_bytes(process: int) -> int:
    """Memory that is resident now."""
    return _status(process, "VmRSS")


def peak_bytes(process: int) -> int:
    """The most memory that was resident since ``forget_peak``."""
    return _status(process, "VmHWM")


def forget_peak(process: int) -> None:
    """Begin a new peak at what is resident now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")


def _status(process: int, field: str) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)
