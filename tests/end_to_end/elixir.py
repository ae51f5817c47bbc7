"""The Elixir of a node's own machine or tree, in a node that was started as one of Erlang."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from world.erlang import ErlangNode

_START = """
    ok = code:add_pathsa(filelib:wildcard("/usr/lib/elixir/lib/*/ebin")),
    {ok, _} = application:ensure_all_started(iex),
    ok.
"""


def start_iex(node: ErlangNode) -> None:
    """Let the node run Elixir and IEx, as a release does."""
    assert node.evaluate(_START) == "ok"
