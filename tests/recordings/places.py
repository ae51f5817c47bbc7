"""Where sessions are recorded: machines with real peers in reach, and the words that lead there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from end_to_end.evidence import COMMAND, WRONG_COOKIE
from end_to_end.machine import VARIABLE, machine
from end_to_end.test_shell import node_with_elixir
from recordings.recorder import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The last of the lines that people copy, when all of them are on the screen.
READY: Final = "'erlang node []'"
SOURCE: Final = f"env:{VARIABLE}"
COOKIE: Final = f"--cookie-from {SOURCE}"


@contextmanager
def recording(replaced: Mapping[str, str] | None = None, **variables: str) -> Iterator[Recording]:
    """Record on a machine of its own, which looks on the page as if its epmd were the usual one."""
    with machine() as here:
        environment = {
            **here.environment(),
            **variables,
            "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",
        }
        ours = {
            f"ERL_EPMD_PORT={here.epmd_port} ": "",
            f"on port {here.epmd_port}": "on port 4369",
            str(here.home): "/home/me",
        }
        yield Recording(here, environment, {**ours, **(replaced or {})})


@contextmanager
def shop() -> Iterator[tuple[str, Recording]]:
    """A node with Elixir, the words that lead to it, and a variable that holds a wrong cookie."""
    with (
        node_with_elixir("shop@127.0.0.1") as node,
        recording(SHOP_COOKIE=WRONG_COOKIE) as recorded,
    ):
        yield f"-b fixed shop@127.0.0.1 -o dist-port={node.dist_port}", recorded
