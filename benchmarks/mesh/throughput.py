"""The native way against Consul's own upstream proxy: ``python -m benchmarks.mesh.throughput``.

One agent, one sidecar, one server; the two ways take turns, so that a slow minute of the machine
slows both. Prints a table of medians; exits with 1 where the native way is the slower one.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.consul.connect.mesh import sidecar, upstream_proxy
from backends.consul.connect.opening import target, transport
from benchmarks.mesh.peer import give, request, take
from world.consul import ConsulAgent
from world.processes import Process

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

REPETITIONS = 5
BYTES = 256 * 1024 * 1024
PINGS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """``run`` works on a stream and gives a figure; ``more_is_better`` says of what kind."""

    name: str
    unit: str
    more_is_better: bool
    run: Callable[[socket.socket], float]


def _upload(stream: socket.socket) -> float:
    begin = time.perf_counter()
    stream.sendall(request(b"u", BYTES))
    give(stream, BYTES)
    take(stream, 1)
    return BYTES / 1e6 / (time.perf_counter() - begin)


def _download(stream: socket.socket) -> float:
    begin = time.perf_counter()
    stream.sendall(request(b"d", BYTES))
    take(stream, BYTES)
    return BYTES / 1e6 / (time.perf_counter() - begin)


def _ping(stream: socket.socket) -> float:
    stream.sendall(request(b"e", PINGS))
    took = []
    for _ in range(PINGS):
        begin = time.perf_counter()
        stream.sendall(b"x")
        take(stream, 1)
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1e6


WORKLOADS = (
    Workload(name="256 MB to the service", unit="MB/s", more_is_better=True, run=_upload),
    Workload(name="256 MB from the service", unit="MB/s", more_is_better=True, run=_download),
    Workload(name="one byte there and back", unit="us", more_is_better=False, run=_ping),
)


async def _dialled(agent: ConsulAgent, port: int, **settings: str) -> socket.socket:
    async with transport(agent, "peer", **settings).open(target(port)) as dialer:
        return await dialer.dial(port)


def _measured(workload: Workload, agent: ConsulAgent, port: int, **settings: str) -> float:
    with asyncio.run(_dialled(agent, port, **settings)) as stream:
        stream.settimeout(120)
        return workload.run(stream)


def _line(workload: Workload, native: list[float], proxied: list[float]) -> tuple[str, float]:
    pairs = list(zip(native, proxied, strict=True))
    better = [one / other if workload.more_is_better else other / one for one, other in pairs]
    ratio = statistics.median(better)
    medians = f"{statistics.median(native):8.0f} | {statistics.median(proxied):8.0f}"
    return f"| {workload.name:24} | {workload.unit:4} | {medians} | {ratio:5.2f} |", ratio


def main() -> int:
    with ExitStack() as stack:
        agent = stack.enter_context(ConsulAgent())
        peer = stack.enter_context(Process([sys.executable, "-m", "benchmarks.mesh.peer"]))
        port = int(peer.wait_for_line(str.isdecimal))
        stack.enter_context(sidecar(agent, "peer", port))
        upstream = stack.enter_context(upstream_proxy(agent, "web", "peer"))
        print(f"| median of {REPETITIONS:<14} | unit |   native |    proxy | ratio |")
        print("|---|---|---|---|---|")
        ratios = []
        for workload in WORKLOADS:
            native, proxied = [], []
            for _ in range(REPETITIONS):
                native.append(_measured(workload, agent, port, mode="native"))
                proxied.append(_measured(workload, agent, port, upstream=f"127.0.0.1:{upstream}"))
            line, ratio = _line(workload, native, proxied)
            print(line, flush=True)
            ratios.append(ratio)
    return 0 if min(ratios) >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
