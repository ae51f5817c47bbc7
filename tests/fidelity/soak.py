"""One session under everything at once, for as long as asked: does it grow?

``PYTHONPATH=tests python -m fidelity.soak --minutes 10`` prints a line a round, and says at the end
what grew. Knows what goes through the session in a round; a round leaves nothing behind.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from end_to_end.evidence import rss
from end_to_end.scripted_local import dialled, linked
from fidelity.differing import load_program, names_seen, program
from fidelity.pairs import Pair, paired
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATIONS: Final = 400
_LINKS: Final = 10
_MEGABYTE: Final = 1024 * 1024
_MEMORY: Final = 6 * _MEGABYTE
# asyncio's own pool, which grows to this and no further. Links that leaked would be hundreds.
_THREADS: Final = (os.cpu_count() or 1) + 4
_BINARIES: Final = """
    Binary = binary:copy(<<119>>, 8 * 1024 * 1024),
    lists:usort([mirror:same(Alias, {Binary, [Alias, node()], N}) || N <- lists:seq(1, 4)]).
"""
_AGAIN: Final = """
    lists:usort([{erlang:disconnect_node(Alias), net_adm:ping(Alias)} || _ <- lists:seq(1, 10)]).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the session's process holds between two rounds."""

    memory: int
    threads: int
    descriptors: int

    def __str__(self) -> str:
        megabytes = self.memory / _MEGABYTE
        return f"{megabytes:.1f} MB, {self.threads} threads, {self.descriptors} descriptors"


def rounds(seconds: float, seed: int = 1) -> Iterator[Held]:
    """Go on for so long; return what the session holds after each round."""
    until = time.monotonic() + seconds
    with paired("25", "25") as pair:
        load_program(pair.world.remote, pair.world.local)
        while time.monotonic() < until:
            _one_round(pair, seed)
            yield _held(pair)
            seed += 10


def growth(held: list[Held]) -> list[str]:
    """What is more in the last quarter of the rounds than in the second one."""
    quarter = len(held) // 4
    early, late = held[quarter : 2 * quarter], held[-quarter:]
    found = []
    for what, allowed in (("memory", _MEMORY), ("threads", _THREADS), ("descriptors", 0)):
        before, after = (median(getattr(one, what) for one in some) for some in (early, late))
        if after > before + allowed:
            found.append(f"{what}: {before:g} became {after:g}")
    return found


def _one_round(pair: Pair, seed: int) -> None:
    world = pair.world
    observed = program(names_seen(pair), world.alias, seed=seed, operations=_OPERATIONS, workers=4)
    assert world.local.evaluate(observed, 120).count("{op,") == _OPERATIONS
    assert world.call(_BINARIES, 120) == "[same]"
    assert world.call(_AGAIN) == "[{true,pong}]"
    links = [linked(world.ready, f"soak{number}@127.0.0.1") for number in range(_LINKS)]
    # These give up in the middle of the handshake, as interrupted programs do.
    links += [dialled(world.ready, f"half{number}@127.0.0.1") for number in range(_LINKS)]
    for link in links:
        link.close()
    wait_until(lambda: world.remote.evaluate("length(nodes(hidden)).") == "1", "they are gone", 30)


def _held(pair: Pair) -> Held:
    """Look when the links of the round have ended, of which the remote node knows first."""
    session = pair.world.session
    process = Path(f"/proc/{session.pid}")

    def ended() -> bool:
        events = [one["event"] for one in session.events]
        return events.count("link-up") == events.count("link-down") + 1

    wait_until(ended, "the links of the round have ended", 30)
    return Held(
        memory=rss(session.pid),
        threads=len(list((process / "task").iterdir())),
        descriptors=len(list((process / "fd").iterdir())),
    )


def main() -> int:
    """Run for the minutes that were asked for; 1 if anything grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    held = []
    for number, one in enumerate(rounds(asked.minutes * 60, asked.seed), start=1):
        held.append(one)
        print(f"round {number}: {one}", flush=True)
    grown = growth(held)
    print(f"{len(held)} rounds; {'; '.join(grown) or 'nothing grew'}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
