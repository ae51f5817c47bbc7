"""What to type next: the lines that people copy once the alias stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlconnect.session.events import AliasEntry, Ready


def ready_text(ready: Ready, prefix: str) -> str:
    """Give the text of ``ready``; ``prefix`` goes before each command (``ERL_EPMD_PORT=…``)."""
    return "\n\n".join(_alias_text(ready, alias, prefix) for alias in ready.aliases)


def _alias_text(ready: Ready, alias: AliasEntry, prefix: str) -> str:
    facts = "".join(f", {name} {value}" for name, value in alias.facts.items())
    epmd = "an embedded epmd" if ready.epmd_embedded else "the running epmd"
    head = [
        f"{alias.node} at {alias.address}:{alias.dist_port} ({ready.backend}{facts})",
        (
            f"is {alias.alias} here, by {ready.transport}, cookie from {ready.cookie_source}, "
            f"in {epmd} on port {ready.epmd_port}"
        ),
        "",
    ]
    return "\n".join([*head, *(f"  {prefix}{line}" for line in command_lines(alias))])


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
