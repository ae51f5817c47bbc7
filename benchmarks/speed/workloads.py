"""The list of workloads between real nodes, and their wanted figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speed.figures import Wanted
from speed.traffic import Calls, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speed.traffic import Workload

_AT_PAR = Wanted(sign="≥", bound=1.0)
_NEARLY = Wanted(sign="≥", bound=0.9)
_ADVERSARIAL = Wanted(sign="≥", bound=0.3)
_CPU_OF_BULK = Wanted(sign="≤", bound=1.2)
_CPU_OF_SMALL = Wanted(sign="≤", bound=1.0)
_NAME_AS_TEXT = '{text, <<"app@127.3.2.1">>}'


def all_workloads() -> list[Workload]:
    """In the order of the table."""
    return [*_bulk(), *_small(), Calls(), *_terms(), *_names()]


def _bulk() -> Iterator[Workload]:
    for megabytes, count, wanted in ((1, 400, _NEARLY), (64, 8, _AT_PAR)):
        yield from _both_ways(
            key=f"{megabytes}mb",
            feature="101",
            title=f"binaries of {megabytes} MB",
            kind=f"{{binary, {megabytes}}}",
            count=count,
            unit="GB",
            per_unit=1000 / megabytes,
            wanted=wanted,
            wanted_cpu=_CPU_OF_BULK,
        )


def _small() -> Iterator[Workload]:
    yield from _both_ways(
        key="small",
        feature="102",
        title="tuples with a pid",
        kind="small",
        count=200_000,
        unit="M messages",
        per_unit=1e6,
        wanted=_AT_PAR,
        wanted_cpu=_CPU_OF_SMALL,
    )


def _terms() -> Iterator[Workload]:
    for kind in ("tuples", "maps"):
        yield from _both_ways(
            key=kind,
            feature="104",
            title=f"lists of 100,000 {kind}",
            kind=kind,
            count=10,
            unit="lists",
            per_unit=1,
            wanted=_AT_PAR,
        )


def _names() -> Iterator[Workload]:
    for key, title, kind, count, wanted in (
        ("text", "binaries with the name as text", _NAME_AS_TEXT, 60_000, _NEARLY),
        ("inline", "the name as inline atoms", "inline", 20_000, _NEARLY),
        ("stored", "tuples with a term_to_binary(Name)", "small_blobs", 100_000, _ADVERSARIAL),
        ("blobs", "lists of 20,000 term_to_binary(Name)", "blobs", 40, _ADVERSARIAL),
    ):
        per_unit, unit = (1, "lists") if key == "blobs" else (1e6, "M messages")
        yield from _both_ways(
            key=key,
            feature="105",
            title=title,
            kind=kind,
            count=count,
            unit=unit,
            per_unit=per_unit,
            wanted=wanted,
        )


def _both_ways(
    *,
    key: str,
    feature: str,
    title: str,
    kind: str,
    count: int,
    unit: str,
    per_unit: float,
    wanted: Wanted,
    wanted_cpu: Wanted | None = None,
) -> Iterator[Stream]:
    for direction in ("up", "down"):
        yield Stream(
            key=f"{key}-{direction}",
            feature=feature,
            title=title,
            direction=direction,
            kind=kind,
            count=count,
            unit=unit,
            per_unit=per_unit,
            wanted=wanted,
            wanted_cpu=wanted_cpu,
        )
