"""What the rewriting itself costs: ready-made frames through the relay, without any Erlang.

The same bytes go through a relay that only moves them, with the same threads and buffers.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from world.processes import Process

from speed.figures import Figure, Sample, Samples, Wanted, medians, paired_ratio
from speed.usage import cpu_seconds
from speed.ways import ERLCONNECT

if TYPE_CHECKING:
    from collections.abc import Iterator

RAW = "raw relay"
_RELAY = Path(__file__).with_name("floor_relay.py")
_FRAGMENT = 65536
_PID = b"XR\0" + bytes(range(12))
_HEADER = b"\x83\x44\x03\0\0\1\2\3"
_SEND = b"h\3a\x16" + _PID + b"XR\1" + bytes(12)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorWay:
    """A connection through a relay: what is written to ``near`` comes out of ``far``."""

    near: socket.socket
    far: socket.socket
    relay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Ready-made frames in one direction; ``data`` goes through ``times`` times."""

    key: str
    title: str
    data: bytes
    times: int
    amount: float
    """Units in ``data``."""
    unit: str
    wanted: Wanted

    def run(self, way: FloorWay) -> Sample:
        cpu, start = cpu_seconds(way.relay), time.perf_counter()
        feeder = threading.Thread(target=self._feed, args=(way.near,))
        feeder.start()
        _drain(way.far, len(self.data) * self.times)
        feeder.join()
        return {
            "seconds": time.perf_counter() - start,
            "cpu seconds": cpu_seconds(way.relay) - cpu,
        }

    def figures(self, samples: Samples) -> list[Figure]:
        amount = self.amount * self.times
        seconds, cpu = medians(samples, "seconds"), medians(samples, "cpu seconds")
        throughput = Figure(
            feature="108",
            workload=self.title,
            unit=f"{self.unit}/s",
            values={way: amount / taken for way, taken in seconds.items()},
            value=paired_ratio(samples, "seconds", RAW, ERLCONNECT),
            wanted=self.wanted,
        )
        work = replace(
            throughput,
            unit=f"CPU s/{self.unit}",
            values={way: taken / amount for way, taken in cpu.items()},
            value=paired_ratio(samples, "cpu seconds", ERLCONNECT, RAW),
            wanted=None,
        )
        return [throughput, work]

    def quick(self) -> Floor:
        return replace(self, times=max(1, self.times // 10))

    def _feed(self, near: socket.socket) -> None:
        for _ in range(self.times):
            near.sendall(self.data)


def floors() -> list[Floor]:
    """In the order of the table."""
    small = _message(16)
    uniform = Floor(
        key="floor-uniform",
        title=f"frames of {len(small)} bytes",
        data=small * 100_000,
        times=20,
        amount=0.1,
        unit="M frames",
        wanted=Wanted(sign="≥", bound=0.45),
    )
    sizes = (0, 20, 36, 90, 180, 400, 900)
    mixed = replace(
        uniform,
        key="floor-mixed",
        title="frames of seven sizes",
        data=b"".join(map(_message, sizes)) * 5_000,
        amount=0.035,
    )
    bulk = Floor(
        key="floor-bulk",
        title="fragments of a 64 MB binary",
        data=b"".join(_fragments(64_000_000)),
        times=10,
        amount=0.064,
        unit="GB",
        wanted=Wanted(sign="≥", bound=0.75),
    )
    return [uniform, mixed, bulk]


@contextlib.contextmanager
def floor_ways() -> Iterator[dict[str, FloorWay]]:
    """Both relays, connected."""
    with contextlib.ExitStack() as stack:
        yield {
            RAW: stack.enter_context(_relayed("raw")),
            ERLCONNECT: stack.enter_context(_relayed("erlconnect")),
        }


@contextlib.contextmanager
def _relayed(kind: str) -> Iterator[FloorWay]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = str(listener.getsockname()[1])
        with Process([sys.executable, _RELAY, kind, target]) as relay:
            port = int(relay.wait_for_line(str.isdigit, stream="stdout"))
            with socket.create_connection(("127.0.0.1", port)) as near:
                far, _ = listener.accept()
                with far:
                    yield FloorWay(near=near, far=far, relay=relay.pid)


def _message(size: int) -> bytes:
    """A message from pid to pid with a binary of ``size`` bytes in it."""
    payload = b"h\2" + _PID + b"m" + struct.pack(">I", size) + b"\x55" * size
    return _frame(_HEADER + _SEND + payload)


def _fragments(size: int) -> Iterator[bytes]:
    payload = b"m" + struct.pack(">I", size) + b"\x55" * size
    pieces = [payload[at : at + _FRAGMENT] for at in range(0, len(payload), _FRAGMENT)]
    for number, piece in zip(range(len(pieces), 0, -1), pieces, strict=True):
        place = struct.pack(">QQ", 1, number)
        if number == len(pieces):
            yield _frame(b"\x83\x45" + place + _HEADER[2:] + _SEND + piece)
        else:
            yield _frame(b"\x83\x46" + place + piece)


def _frame(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def _drain(far: socket.socket, size: int) -> None:
    buffer = bytearray(_CHUNK)
    while size:
        size -= far.recv_into(buffer, min(size, _CHUNK))
