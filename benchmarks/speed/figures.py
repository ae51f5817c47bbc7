"""What a benchmark finds: measured values next to what was wanted of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

Way = TypeVar("Way")
Sample = Mapping[str, float]
"""One run of one workload over one way: the name of a measure and its value, less is better."""
Samples = Mapping[str, Sequence[Sample]]
"""All runs of one workload: the name of a way and its samples, one for each repetition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A bound on a figure."""

    sign: Literal["≥", "≤"]
    bound: float

    def holds(self, value: float) -> bool:
        return value >= self.bound if self.sign == "≥" else value <= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. ``values`` are medians by column, in ``unit``.

    ``value`` is what ``wanted`` speaks of: a ratio where ``is_ratio``, else one of ``values``.
    """

    feature: str
    workload: str
    unit: str
    values: Mapping[str, float]
    value: float
    is_ratio: bool = True
    wanted: Wanted | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the wanted bound holds; ``None`` where there is none."""
        return None if self.wanted is None else self.wanted.holds(self.value)


def interleaved(run: Callable[[Way], Sample], ways: Mapping[str, Way], repetitions: int) -> Samples:
    """Run over each way once, then again from the next one on, and so forth.

    What slows the machine for a while slows all ways, and none is always the first.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in ways}
    names = list(ways)
    for repetition in range(repetitions):
        first = repetition % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(run(ways[name]))
    return samples


def medians(samples: Samples, measure: str) -> dict[str, float]:
    """The median of one measure for each way that has it."""
    return {
        way: statistics.median(sample[measure] for sample in runs)
        for way, runs in samples.items()
        if measure in runs[0]
    }


def paired_ratio(samples: Samples, measure: str, over: str, under: str) -> float:
    """The median over the repetitions of one way's value divided by another's.

    The two runs of a repetition are neighbours in time, so that a slow minute of the machine
    slows both.
    """
    pairs = zip(samples[over], samples[under], strict=True)
    return statistics.median(one[measure] / other[measure] for one, other in pairs)
