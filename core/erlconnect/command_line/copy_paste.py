"""What to type next: the lines that people copy once the alias stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlconnect.session.events import AliasEntry, Ready


def ready_text(ready: Ready, prefix: str) -> str:
    """Give the text of ``ready``; ``prefix`` goes before each command (``ERL_EPMD_PORT=…``).

    The commands are those for the first alias; with another name they are right for the others.
    """
    heads = "\n".join(_head(ready, alias) for alias in ready.aliases)
    lines = [f"  {prefix}{line}" for line in command_lines(ready.aliases[0])]
    return "\n".join([heads, "", *lines])


def _head(ready: Ready, alias: AliasEntry) -> str:
    epmd = "an embedded epmd" if ready.epmd_embedded else "the running epmd"
    return (
        f"{where_line(alias)}\n"
        f"is {alias.alias} here, by {alias.transport}, cookie from {alias.cookie_source}, "
        f"in {epmd} on port {ready.epmd_port}"
    )


def where_line(alias: AliasEntry) -> str:
    """Say which node is meant, and where it was found."""
    facts = "".join(f", {name} {value}" for name, value in alias.facts.items())
    return f"{alias.node} at {alias.address}:{alias.dist_port} ({alias.backend}{facts})"


def command_lines(alias: AliasEntry) -> list[str]:
    """Give one line for each tool, as people type it."""
    return [
        f"iex --name dev@127.0.0.1 --remsh {alias.alias}",
        f"iex --sname dev --remsh {alias.short_alias}",
        f"erl -name dev@127.0.0.1 -remsh {alias.alias}",
        (
            f"erl -name dev@127.0.0.1 -eval \"net_kernel:connect_node('{alias.alias}'), "
            'observer:start()."'
        ),
        f"erl_call -name {alias.alias} -a 'erlang node []'",
    ]
