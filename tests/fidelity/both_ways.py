"""Tools of a server that others wrote, asked directly and through a session, and compared.

Knows what of a tool's words lasts longer than a moment. Which tools there are is the tests' own.
"""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Final

from end_to_end.machine import FROM_VARIABLE, machine
from world.connected import LOCAL_COOKIE, REMOTE_COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from world.erlang_servers import Inside

# What is of a moment: numbers, and how wide a table is that holds them.
_NUMBERS: Final = re.compile(r"\d+(\.\d+)?")
_SPACES: Final = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to a server: by the epmd and the cookie of a machine, and the node's name there."""

    inside: Inside
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BothWays:
    """The way of the server's own machine, and that of the session's."""

    direct: Way
    through: Way

    def compare(self, words: Callable[[str], list[str]], *, of_a_moment: bool = False) -> int:
        """Run what ``words`` gives for a node's name, on both ways; return the common exit code.

        What a tool says ``of_a_moment`` is another thing a moment later; only its exit code lasts.
        """
        with ThreadPoolExecutor() as pool:
            direct, through = pool.map(
                lambda way: way.inside.run(*words(way.node)), (self.direct, self.through)
            )
        assert through.returncode == direct.returncode, through.stdout
        differences = list(unified_diff(self._lasting(direct), self._lasting(through), n=0))
        assert of_a_moment or not differences, "\n".join(differences)
        return int(direct.returncode)

    def _lasting(self, done: subprocess.CompletedProcess[str]) -> list[str]:
        text = done.stdout
        for node in (self.direct.node, self.through.node):
            text = text.replace(node, "NODE")
        # Some sort their lines by numbers that have changed meanwhile.
        return sorted(_SPACES.sub(" ", _NUMBERS.sub("N", text)).splitlines())


def registered_during(way: Way, words: Sequence[str]) -> set[str]:
    """Run a tool, and return all names that the epmd of its machine has meanwhile."""
    command = ["epmd", "-port", way.inside.environment["ERL_EPMD_PORT"], "-names"]
    names: set[str] = set()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(way.inside.run, *words)
        while not running.done():
            listing = subprocess.run(command, check=True, capture_output=True, text=True)
            names |= set(re.findall(r"^name (\S+) at port", listing.stdout, re.MULTILINE))
    assert running.result().returncode == 0, running.result().stdout
    return names


@contextmanager
def both_ways(
    enter: Callable[..., Inside], node: str, *, folder: Path, epmd_port: int
) -> Iterator[BothWays]:
    """Connect a session to ``node``, which runs; ``enter`` makes the surroundings of a tool."""
    name, _, host = node.partition("@")
    words = ("-b", "fixed", node, "-o", "address=127.0.0.1", "-o", f"epmd-port={epmd_port}")
    for way in ("direct", "through"):
        (folder / way).mkdir()
    with machine() as here, here.session(*words, *FROM_VARIABLE) as session:
        alias = session.ready()["aliases"][0]["alias"]
        assert alias == f"{name}@127.0.0.1"
        yield BothWays(
            direct=Way(
                inside=enter(
                    folder=folder / "direct",
                    cookie=REMOTE_COOKIE,
                    hosts=[host],
                    environment={"ERL_EPMD_PORT": str(epmd_port)},
                ),
                node=node,
            ),
            through=Way(
                inside=enter(
                    folder=folder / "through",
                    cookie=LOCAL_COOKIE,
                    environment={"ERL_EPMD_PORT": str(here.epmd_port)},
                ),
                node=alias,
            ),
        )
