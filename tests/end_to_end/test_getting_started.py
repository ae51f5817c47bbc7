"""The tutorial, pasted line by line on a machine where nobody has used Erlang yet.

It runs in a network of its own, because the page uses the usual ports.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from end_to_end.machine import machine
from end_to_end.terminal import AtTerminal
from end_to_end.walkthrough import Told, follow, steps
from pages import PROJECT, page
from world.namespaces import Namespace, prefix
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine

TERMINALS = ("first", "second", "third", "fourth")
_COLUMNS = 200


def test_every_line_works_as_it_stands() -> None:
    walk = list(steps(page("getting-started.md")))
    assert {step.terminal for step in walk} == set(TERMINALS)
    assert sum(isinstance(step, Told) for step in walk) == 2
    with machine(cookie=None, epmd=False) as here, network() as name, ExitStack() as stack:
        screens = {word: stack.enter_context(terminal(here, name)) for word in TERMINALS}
        for step in walk:
            follow(step, screens[step.terminal], str(here.home))
        for screen in screens.values():
            screen.wait_until(lambda shown: shown.rstrip().endswith("$"))
            screen.type("exit\r")
            screen.wait()
        assert here.left_over_files() == []
        wait_until(lambda: processes(name) == [], "nothing runs any more")


@contextmanager
def network() -> Iterator[str]:
    """A network of its own, with nothing running in it afterwards."""
    with Namespace() as own:
        try:
            yield own.name
        finally:
            for pid in processes(own.name):
                os.kill(pid, signal.SIGKILL)


def processes(network: str) -> list[int]:
    listed = subprocess.run(["ip", "netns", "pids", network], check=True, capture_output=True)
    return [int(pid) for pid in listed.stdout.split()]


def terminal(here: Machine, network: str) -> AtTerminal:
    environment = {
        "HOME": str(here.home),
        "XDG_RUNTIME_DIR": str(here.runtime),
        "TMPDIR": str(here.runtime),
        "PS1": "$ ",
    }
    words = [*prefix(network), "env", "-u", "ERL_EPMD_PORT", "bash", "--norc", "-i"]
    return AtTerminal(
        *words[1:], environment=environment, program=words[0], folder=PROJECT, columns=_COLUMNS
    )
