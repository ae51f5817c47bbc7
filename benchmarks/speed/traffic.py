"""Workloads between two real nodes: what is sent, how much of it, and what is wanted."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from speed.figures import Figure, Sample, Samples, Wanted, medians, paired_ratio
from speed.usage import cpu_seconds
from speed.ways import ERLCONNECT, SOCAT

if TYPE_CHECKING:
    from speed.ways import Way

_SECONDS = "seconds"
_CPU = "cpu seconds"
_PERCENTILES = ("p50", "p99")


class Workload(Protocol):
    """One thing to measure over every way."""

    @property
    def key(self) -> str: ...

    def run(self, way: Way) -> Sample:
        """Do it once."""

    def figures(self, samples: Samples) -> list[Figure]:
        """Judge all samples."""

    def quick(self) -> Workload:
        """The same with little to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Messages in one direction, as fast as they go."""

    key: str
    feature: str
    title: str
    direction: Literal["up", "down"]
    kind: str
    """What ``workload:maker`` takes."""
    count: int
    unit: str
    per_unit: float
    """How many messages make one unit."""
    wanted: Wanted
    wanted_cpu: Wanted | None = None

    def run(self, way: Way) -> Sample:
        before = cpu_seconds(way.relay) if way.relay else 0.0
        call = f"workload:{self.direction}('{way.remote}', {self.kind}, {self.count})."
        seconds = int(way.local.evaluate(call, timeout=300)) / 1e6
        if way.relay is None:
            return {_SECONDS: seconds}
        return {_SECONDS: seconds, _CPU: cpu_seconds(way.relay) - before}

    def figures(self, samples: Samples) -> list[Figure]:
        units = self.count / self.per_unit
        seconds, cpu = medians(samples, _SECONDS), medians(samples, _CPU)
        throughput = Figure(
            feature=self.feature,
            workload=f"{self.title}, {self.direction}",
            unit=f"{self.unit}/s",
            values={way: units / taken for way, taken in seconds.items()},
            value=paired_ratio(samples, _SECONDS, SOCAT, ERLCONNECT),
            wanted=self.wanted,
        )
        work = replace(
            throughput,
            unit=f"CPU s/{self.unit}",
            values={way: taken / units for way, taken in cpu.items()},
            value=paired_ratio(samples, _CPU, ERLCONNECT, SOCAT),
            wanted=self.wanted_cpu,
        )
        return [throughput, work]

    def quick(self) -> Stream:
        return replace(self, count=max(2, self.count // 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Calls one after the other: what one of them takes."""

    key: str = "calls"
    count: int = 20_000

    def run(self, way: Way) -> Sample:
        answer = way.local.evaluate(f"workload:calls('{way.remote}', {self.count}).", timeout=120)
        nanoseconds = json.loads(answer.replace("{", "[").replace("}", "]"))
        return {name: value / 1e3 for name, value in zip(_PERCENTILES, nanoseconds, strict=True)}

    def figures(self, samples: Samples) -> list[Figure]:
        bounds = dict(zip(_PERCENTILES, (1.05, 1.2), strict=True))
        return [
            Figure(
                feature="103",
                workload=f"calls one after the other, {name}",
                unit="µs",
                values=medians(samples, name),
                value=paired_ratio(samples, name, ERLCONNECT, SOCAT),
                wanted=Wanted(sign="≤", bound=bound),
            )
            for name, bound in bounds.items()
        ]

    def quick(self) -> Calls:
        return replace(self, count=1000)
