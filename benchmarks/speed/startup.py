"""How long the command takes until it has said what it was asked for."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from world.epmd import RealEpmd
from world.knot import KnotServer
from world.ports import free_port
from world.session import ErlconnectSession

from speed.figures import Figure, interleaved, medians, paired_ratio

if TYPE_CHECKING:
    from collections.abc import Callable

    from speed.figures import Sample
    from speed.ways import Remote

_PASS = "python -c pass"
_COMMANDS = {
    _PASS: [sys.executable, "-c", "pass"],
    "erlconnect --help": [sys.executable, "-m", "erlconnect", "--help"],
}


def startup_figures(remote: Remote, repetitions: int) -> list[Figure]:
    """Time both commands and a session by DNS up to its ``ready``."""
    host = remote.node.name.partition("@")[2]
    with RealEpmd(free_port()) as epmd, KnotServer({"example.test": f"app A {host}"}) as server:
        ready = _ready_by_dns(remote, epmd.port, server.port)
        ways = {name: _run(command) for name, command in _COMMANDS.items()}
        ways["erlconnect -b dns to ready"] = ready
        samples = interleaved(_timed, ways, repetitions)
    seconds = medians(samples, "seconds")
    return [
        Figure(
            feature="107",
            workload=name,
            unit="ms",
            values={"median": seconds[name] * 1000},
            value=paired_ratio(samples, "seconds", name, _PASS),
        )
        for name in ways
    ]


def _run(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def _ready_by_dns(remote: Remote, epmd_port: int, dns_port: int) -> Callable[[], ErlconnectSession]:
    """Start a session and wait for ``ready``; the caller ends it."""

    def ready() -> ErlconnectSession:
        session = ErlconnectSession.start(
            *("-b", "dns", "app.example.test", "-o", f"server=127.0.0.1:{dns_port}"),
            *("-o", "record=a", "-o", "basename=app", "-o", f"dist-port={remote.node.dist_port}"),
            epmd_port=epmd_port,
            home=remote.folder,
        )
        session.ready()
        return session

    return ready


def _timed(work: Callable[[], object]) -> Sample:
    start = time.perf_counter()
    result = work()
    taken = time.perf_counter() - start
    if isinstance(result, ErlconnectSession):
        result.terminate()
    return {"seconds": taken}
