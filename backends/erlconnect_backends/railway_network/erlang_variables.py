"""What a service's variables say of the node in it, read as Erlang and mix releases read them."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import NodeName

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLAG_VARIABLES: Final = ("ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS")
_LOWEST: Final = "inet_dist_listen_min"
_HIGHEST: Final = "inet_dist_listen_max"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErlangVariables:
    """The node's name, its one distribution port and epmd's port, where they are told."""

    node: NodeName | None = None
    dist_port: int | None = None
    epmd_port: int | None = None


def read_variables(variables: Mapping[str, str]) -> ErlangVariables:
    """Read RELEASE_NODE, ERL_DIST_PORT, ERL_EPMD_PORT and port ranges in the flags' variables.

    What cannot be understood counts as not told.
    """
    return ErlangVariables(
        node=_node(variables.get("RELEASE_NODE", "")),
        dist_port=_port(variables.get("ERL_DIST_PORT", "")) or _one_port_of(_words(variables)),
        epmd_port=_port(variables.get("ERL_EPMD_PORT", "")),
    )


def _node(text: str) -> NodeName | None:
    try:
        return NodeName.parse(text)
    except ValueError:
        return None


def _words(variables: Mapping[str, str]) -> list[str]:
    words: list[str] = []
    for name in _FLAG_VARIABLES:
        try:
            words += shlex.split(variables.get(name, ""))
        except ValueError:
            continue
    return words


def _one_port_of(words: list[str]) -> int | None:
    """Give the port of a range that has only one; a wider one leaves the choice to the node."""
    after = dict(itertools.pairwise(words))
    lowest = _port(after.get(_LOWEST, ""))
    return lowest if lowest == _port(after.get(_HIGHEST, "")) else None


def _port(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() else 0
    return number if 0 < number < 65536 else None  # noqa: PLR2004 - ports have 16 bits
