"""Ten thousand random operations a pair of releases: a session between the nodes changes nothing.

The seed is printed. ``python -m fidelity.differential --seed N`` runs it again, or many more.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from fidelity.differing import Report, load_program, run_both
from fidelity.pairs import paired

if TYPE_CHECKING:
    import pytest
    from fidelity.pairs import Pair

OPERATIONS = 10_000


def test_a_random_program_observes_the_same(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    seed = secrets.randbelow(1 << 30)
    with capsys.disabled():
        print(f"\n{pair.local} to {pair.remote}: {OPERATIONS} operations of seed {seed}")
    with pair.direct() as direct:
        load_program(pair.world.remote, pair.world.local, direct)
        report = run_both(pair, direct, seed=seed, operations=OPERATIONS)
    assert len(report.direct) == OPERATIONS
    assert report.differences() == []
    assert pair.world.session.returncode is None
    reasons = [one["reason"] for one in pair.world.session.events if one["event"] == "link-down"]
    assert not [reason for reason in reasons if "error" in reason]


def test_a_difference_would_be_seen() -> None:
    """The same program with another seed is another one, and the report says where it differs."""
    with paired("25", "25") as pair, pair.direct() as direct:
        load_program(pair.world.remote, pair.world.local, direct)
        one, other = (run_both(pair, direct, seed=seed, operations=500) for seed in (1, 2))
    assert one.differences() == other.differences() == []
    crossed = Report(direct=one.direct, through=other.through)
    assert crossed.differences()
    assert len(set(one.through) - set(other.direct)) > 400
