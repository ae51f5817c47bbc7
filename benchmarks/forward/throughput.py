"""``python -m benchmarks.forward.throughput``: megabytes, pings and CPU of both ways, in turn.

The double of the API server is one process of Python and often the slowest part, for both ways; the
CPU time is that of the client alone. Exits with 1 where erlconnect is the slower one.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.forward.cluster import KUBECONFIG, READY
from benchmarks.forward.ways import KUBECTL, OURS, by_erlconnect, by_kubectl
from benchmarks.mesh.peer import give, request, take
from speed.figures import Figure, Wanted, interleaved, medians, paired_ratio
from speed.tables import markdown_table
from world.processes import Process

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.forward.ways import Way
    from speed.figures import Sample

PINGS = 300
NOT_SLOWER = Wanted(sign="≥", bound=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """``run`` moves so many bytes over a stream."""

    name: str
    run: Callable[[socket.socket, int], None]

    def measured(self, way: Way, size: int) -> Sample:
        cpu, begin = way.cpu(), time.perf_counter()
        self.run(way.stream, size)
        seconds = time.perf_counter() - begin
        gigabytes = size / 1e9
        return {"MB/s": size / 1e6 / seconds, "CPU s/GB": (way.cpu() - cpu) / gigabytes}


def _upload(stream: socket.socket, size: int) -> None:
    stream.sendall(request(b"u", size))
    give(stream, size)
    take(stream, 1)


def _download(stream: socket.socket, size: int) -> None:
    stream.sendall(request(b"d", size))
    take(stream, size)


def _pinged(way: Way) -> Sample:
    way.stream.sendall(request(b"e", PINGS))
    took = []
    for _ in range(PINGS):
        begin = time.perf_counter()
        way.stream.sendall(b"x")
        take(way.stream, 1)
        took.append(time.perf_counter() - begin)
    return {"us": statistics.median(took) * 1e6}


DIRECTIONS = (
    Direction(name="to the pod", run=_upload),
    Direction(name="from the pod", run=_download),
)


def _figures(ways: Mapping[str, Way], megabytes: int, repetitions: int) -> Iterator[Figure]:
    size = megabytes << 20
    for each in DIRECTIONS:
        for way in ways.values():
            each.run(way.stream, size // 8)
        samples = interleaved(lambda way, do=each: do.measured(way, size), ways, repetitions)
        for measure, wanted in (("MB/s", NOT_SLOWER), ("CPU s/GB", None)):
            yield Figure(
                feature="38",
                workload=f"{megabytes} MB {each.name}",
                unit=measure,
                values=medians(samples, measure),
                value=paired_ratio(samples, measure, OURS, KUBECTL),
                wanted=wanted,
            )
    samples = interleaved(_pinged, ways, repetitions)
    yield Figure(
        feature="38",
        workload="one byte there and back",
        unit="us",
        values=medians(samples, "us"),
        value=paired_ratio(samples, "us", OURS, KUBECTL),
    )


def main() -> int:
    asked = _parsed()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = stack.enter_context(Process([sys.executable, "-m", "benchmarks.mesh.peer"]))
        port = int(peer.wait_for_line(str.isdecimal))
        stack.enter_context(_cluster(folder))
        kubeconfig = folder / KUBECONFIG
        ways = {
            OURS: stack.enter_context(by_erlconnect(kubeconfig, port)),
            KUBECTL: stack.enter_context(by_kubectl(kubeconfig, port, asked.kubectl)),
        }
        figures = list(_figures(ways, asked.megabytes, asked.repetitions))
    title = f"Port-forward (medians of {asked.repetitions}; the ratio is to kubectl)"
    print(markdown_table(title, figures))
    return 0 if all(figure.reached is not False for figure in figures) else 1


def _cluster(folder: Path) -> subprocess.Popen[str]:
    cluster = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.forward.cluster", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert cluster.stdout
    assert cluster.stdout.readline().strip() == READY
    return cluster


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=64, metavar="N", help="default: 64")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--kubectl", default="sid", metavar="SUITE", help="trixie or sid (default)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
