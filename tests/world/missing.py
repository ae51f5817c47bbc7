"""Peers that a test needs and this machine lacks: skip the test by name, and count it."""

from __future__ import annotations

from collections import Counter

import pytest

_counts: Counter[str] = Counter()


def require(what: str, present: bool) -> None:
    """Skip the running test unless ``what``, a peer as people call it, is present."""
    if not present:
        _counts[what] += 1
        pytest.skip(f"missing peer: {what}")


def counts() -> dict[str, int]:
    """How many tests were skipped for each peer."""
    return dict(_counts)


def add(others: dict[str, int]) -> None:
    """Count what another process of the same run has skipped."""
    _counts.update(others)


def summary_lines() -> list[str]:
    """What the end of a test run says: a line per missing peer, or that none is missing."""
    lines = [
        f"missing peers: {what} ({count} {'test' if count == 1 else 'tests'})"
        for what, count in sorted(_counts.items())
    ]
    return lines or ["missing peers: none"]
