"""The shells of Erlang and Elixir of every release, at a terminal, in a node of every release."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from end_to_end.elixir import start_iex
from end_to_end.machine import Machine
from end_to_end.terminal import AtTerminal
from world import releases
from world.connected import LOCAL_COOKIE
from world.missing import require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fidelity.pairs import Pair

# What the Elixirs of these releases (1.14, 1.18, 1.20) make of each other, without a session too.
DISAGREEING = {
    ("25", "27"): "Shell process terminated!",
    ("25", "29"): "Shell process terminated!",
    ("27", "25"): 'Could not load "app@127.0.0.1" on iex',
    ("29", "25"): 'Could not load "app@127.0.0.1" on iex',
    ("27", "29"): "unknown IO message",
    ("29", "27"): "Shell process terminated!",
}


@contextmanager
def opened(pair: Pair, runtime: Path, line: str) -> Iterator[AtTerminal]:
    """What a person types at the local release's own shell of the system."""
    tree = releases.available().get(pair.local)
    here = Machine(home=pair.world.home, runtime=runtime, epmd_port=pair.world.local_epmd_port)
    environment = {**here.environment(), "HOME": "/tmp", "ERL_FLAGS": "-start_epmd false"}
    words = ["-c", f"exec {f'chroot {tree} ' if tree else ''}{line}"]
    with AtTerminal(*words, environment=environment, program="sh") as terminal:
        yield terminal


def test_erl_opens_a_shell_there(pair: Pair, tmp_path: Path) -> None:
    world = pair.world
    line = f"erl -name shell@127.0.0.1 -setcookie {LOCAL_COOKIE} -remsh app@127.0.0.1"
    with opened(pair, tmp_path, line) as erl:
        erl.wait_for(f"({world.remote.name})1> ")
        erl.type('lists:join($-, ["its", "pid", os:getpid()]).\r')
        erl.wait_for(f'["its",45,"pid",45,"{world.remote.pid}"]')


def test_iex_opens_a_shell_there(pair: Pair, tmp_path: Path) -> None:
    require("iex", shutil.which("iex") is not None)
    world = pair.world
    start_iex(world.remote)
    line = f"iex --name shell@127.0.0.1 --cookie {LOCAL_COOKIE} --remsh app@127.0.0.1"
    with opened(pair, tmp_path, line) as iex:
        refused = DISAGREEING.get((pair.local, pair.remote), "")
        early = refused and {pair.local, pair.remote} != {"27", "29"}
        iex.wait_for(refused if early else f"iex({world.remote.name})1> ")
        iex.type('Enum.join(["its", "pid", System.pid()], "-")\r')
        iex.wait_for(refused or f'"its-pid-{world.remote.pid}"')
