"""What to type next: the lines that people copy once the alias stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlconnect.session.events import AliasEntry, Ready


def ready_text(ready: Ready, prefix: str) -> str:
    """Give the text of ``ready``; ``prefix`` goes before each command (``ERL_EPMD_PORT=…``)."""
    return "\n\n".join(_alias_text(ready, alias, prefix) for alias in ready.aliases)


def _alias_text(ready: Ready, alias: AliasEntry, prefix: str) -> str:
    commands = (f"  {prefix}{line}" for line in command_lines(alias))
    return "\n".join([where_line(ready, alias), _how_line(ready, alias), "", *commands])


def where_line(ready: Ready, alias: AliasEntry) -> str:
    """Say which node is meant, and where it was found."""
    facts = "".join(f", {name} {value}" for name, value in alias.facts.items())
    return f"{alias.node} at {alias.address}:{alias.dist_port} ({ready.backend}{facts})"


def _how_line(ready: Ready, alias: AliasEntry) -> str:
    epmd = "an embedded epmd" if ready.epmd_embedded else "the running epmd"
    return (
        f"is {alias.alias} here, by {ready.transport}, cookie from {ready.cookie_source}, "
        f"in {epmd} on port {ready.epmd_port}"
    )


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
