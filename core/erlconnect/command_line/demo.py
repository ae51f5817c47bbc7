"""``erlconnect demo``: the whole way once, with real parts, on this machine."""

from __future__ import annotations


def demo() -> None:
    """Start a real remote node and a real DNS server, connect, and call through the alias.

    Examples:

      erlconnect demo
    """
    from erlconnect.command_line.demonstration import demonstrate  # noqa: PLC0415 - --help is quick

    demonstrate()
