"""One random program of distribution operations, run directly and through a session.

Knows how the program gets into the nodes and what its report looks like; what it does is written
in ``programs/differential.erl``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from end_to_end.mirrored import load
from fidelity.pairs import PROGRAMS

if TYPE_CHECKING:
    from fidelity.pairs import Pair
    from world.erlang import ErlangNode

_MODULES: Final = (
    *("random_terms", "random_messages", "random_signals", "random_spawns"),
    *("random_calls", "random_breaks", "differential"),
)
_RUN: Final = """
    Lookalikes = [Bytes || Text <- {names}, Name <- [list_to_atom(Text)],
                  Bytes <- [term_to_binary(Name), term_to_binary([Name, {{Name}}]),
                            atom_to_binary(Name, utf8),
                            <<119, (length(Text)), (list_to_binary(Text))/binary>>]],
    differential:run({there}, {seed}, {operations}, {workers}, Lookalikes).
"""
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the program observed, directly and through the session, an operation a line."""

    direct: list[str]
    through: list[str]

    def differences(self) -> list[str]:
        """The first operations whose results differ."""
        both = zip_longest(self.direct, self.through, fillvalue="nothing")
        return [f"{one} directly, {other}" for one, other in both if one != other][:_SHOWN]


def load_program(*nodes: ErlangNode) -> None:
    """Load all its modules in all ``nodes``."""
    load("portable", *nodes)
    for module in _MODULES:
        load(module, *nodes, folder=PROGRAMS)


def names_seen(pair: Pair) -> list[str]:
    """Every name that either node has on either side."""
    world = pair.world
    return [world.remote.name, world.local.name, world.alias[1:-1], world.caller[1:-1]]


def program(names: list[str], there: str, *, seed: int, operations: int, workers: int) -> str:
    """Return the expressions that run the program against ``there``.

    Its terms hold bytes that look like any of ``names``.
    """
    listed = "[" + ",".join(f'"{name}"' for name in names) + "]"
    return _RUN.format(names=listed, there=there, seed=seed, operations=operations, workers=workers)


def run_both(pair: Pair, direct: ErlangNode, *, seed: int, operations: int) -> Report:
    """Run the program of ``seed`` on both local nodes, one after the other."""
    world = pair.world
    # OTP 23 loses the answer to a spawn now and then if several processes wait for one. Seen
    # through socat as well, which changes nothing; the process that waits does so for ever.
    workers = 1 if "23" in (pair.local, pair.remote) else 4
    # The same ones on both ways, so that the program is the same.
    names = names_seen(pair)

    def run(node: ErlangNode, there: str) -> list[str]:
        asked = program(names, there, seed=seed, operations=operations, workers=workers)
        observed = node.evaluate(asked, 60 + operations / 50)[1:-1]
        return observed.replace(",{op,", "\n{op,").splitlines()

    return Report(
        direct=run(direct, f"'{world.remote.name}'"),
        through=run(world.local, world.alias),
    )
