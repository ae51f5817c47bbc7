"""How long the command takes to start, as a multiple of what Python itself takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from frozen_sessions import COMMAND, Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REPETITIONS: Final = 7


def start_up_times() -> Iterator[str]:
    """Yield a line for each way to start: the median, and its ratio to ``python -c pass``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        places = Places(stack, folder)
        ways: dict[str, Callable[[], None]] = {
            "python -c pass": lambda: _run(sys.executable, "-c", "pass"),
            "erlconnect --help": lambda: _run(str(COMMAND), "--help"),
            "erlconnect -b dns ... ready": lambda: _until_ready(places),
        }
        samples: dict[str, list[float]] = {name: [] for name in ways}
        # Side by side, so that a machine that is busy for a while is so for all of them.
        for _ in range(_REPETITIONS):
            for name, way in ways.items():
                before = time.perf_counter()
                way()
                samples[name].append(time.perf_counter() - before)
    least, *_ = (statistics.median(times) for times in samples.values())
    for name, times in samples.items():
        median = statistics.median(times)
        yield f"{name}: {median * 1000:.0f} ms, ratio {median / least:.2f}"


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60)


def _until_ready(places: Places) -> None:
    words = places.by_dns("_epmd._tcp.shop.shop.test")
    with places.running("ready", *words, "--cookie-from", "env:REMOTE_COOKIE", "--json") as process:
        process.wait_for_line('"ready"', 60)
        process.terminate()
