"""What the environment and the command line of a container say of the node in it.

Reads them as Erlang, Elixir and mix releases do. Refuses to know where they come from.
https://www.erlang.org/doc/apps/erts/erl_cmd.html, https://hexdocs.pm/mix/Mix.Tasks.Release.html
"""

from __future__ import annotations

import itertools
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.distribution.names import NodeName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FLAG_VARIABLES: Final = ("ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ELIXIR_ERL_OPTIONS")
_NAME_FLAGS: Final = ("-name", "--name", "-sname", "--sname")
_COOKIE_FLAGS: Final = ("-setcookie", "--cookie")
_LOWEST: Final = "inet_dist_listen_min"
_HIGHEST: Final = "inet_dist_listen_max"

ERLANG_VARIABLES: Final = (
    "RELEASE_NODE",
    "RELEASE_NAME",
    "RELEASE_DISTRIBUTION",
    "ERL_DIST_PORT",
    "ERL_EPMD_PORT",
    *_FLAG_VARIABLES,
)
"""All variables that are read here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErlangVariables:
    """What is told of a node; ``None`` or empty where nothing is.

    ``name`` is the part of the node's name before the ``@`` where only that is told. ``dist_ports``
    is a range that leaves the choice to the node, ``protocol`` the value of ``-proto_dist``.
    ``distribution`` is ``name``, ``sname`` or ``none``.
    """

    node: NodeName | None = None
    name: str = ""
    dist_port: int | None = None
    dist_ports: str = ""
    epmd_port: int | None = None
    protocol: str = ""
    distribution: str = ""


def read_variables(
    variables: Mapping[str, str], command_line: Sequence[str] = ()
) -> ErlangVariables:
    """Read the variables of ``ERLANG_VARIABLES``, and the flags in them and in ``command_line``.

    What cannot be understood counts as not told.
    """
    words = [*_words(variables), *command_line]
    flags = dict(itertools.pairwise(words))
    released = variables.get("RELEASE_NODE", "") or variables.get("RELEASE_NAME", "")
    kind, named = _released(released) if released else _name_flag(flags)
    node = _node(named)
    lowest, highest = _port(flags.get(_LOWEST, "")), _port(flags.get(_HIGHEST, ""))
    dist_port = _port(variables.get("ERL_DIST_PORT", "")) or _port(flags.get("-erl_epmd_port", ""))
    return ErlangVariables(
        node=node,
        name="" if node else _name_part(named),
        dist_port=dist_port or (lowest if lowest == highest else None),
        dist_ports=f"{lowest}-{highest}" if lowest and highest and lowest < highest else "",
        epmd_port=_port(variables.get("ERL_EPMD_PORT", "")),
        protocol=flags.get("-proto_dist", "") or flags.get("--proto_dist", ""),
        distribution=variables.get("RELEASE_DISTRIBUTION", "") or kind,
    )


def cookie_in_flags(variables: Mapping[str, str], command_line: Sequence[str] = ()) -> str:
    """Give the cookie that the flags of the variables or of ``command_line`` set; often none."""
    return _first(dict(itertools.pairwise([*_words(variables), *command_line])), _COOKIE_FLAGS)


def _released(named: str) -> tuple[str, str]:
    """Give how a mix release distributes unless it is told, and the name."""
    return "" if "@" in named else "sname", named


def _name_flag(flags: Mapping[str, str]) -> tuple[str, str]:
    """Give the flag without its dashes, and its value; both empty where there is none."""
    flag = next((flag for flag in _NAME_FLAGS if flag in flags), "")
    return flag.lstrip("-"), flags.get(flag, "")


def _first(flags: Mapping[str, str], names: Sequence[str]) -> str:
    return next((flags[name] for name in names if flags.get(name)), "")


def _node(text: str) -> NodeName | None:
    # What a shell or the kubelet would have to fill in first is not told.
    try:
        return None if "$" in text else NodeName.parse(text)
    except ValueError:
        return None


def _name_part(text: str) -> str:
    name = text.partition("@")[0]
    return name if _node(f"{name}@host") else ""


def _words(variables: Mapping[str, str]) -> list[str]:
    words: list[str] = []
    for name in _FLAG_VARIABLES:
        try:
            words += shlex.split(variables.get(name, ""))
        except ValueError:
            continue
    return words


def _port(text: str) -> int | None:
    number = int(text) if text.isascii() and text.isdigit() else 0
    return number if 0 < number < 65536 else None  # noqa: PLR2004 - ports have 16 bits
