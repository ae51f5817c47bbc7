"""Requests for input of the remote node's Erlang shells that were not answered yet.

The two directions of a link run in two threads. One adds and the other takes, each in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect.distribution.bounded_terms import is_atom

if TYPE_CHECKING:
    from erlconnect.distribution.etf import Reference

# A shell has one request at a time, so a node with more than this waits
# for the first ones no longer.
_MOST: Final = 4096


class ShellReads:
    """The requests for tokens that were not answered yet."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, ...], None] = {}

    def asked(self, reference: Reference, request: Any) -> None:
        """Remember a request of the remote node, if ``erl_scan`` is to read its answer."""
        match request:
            # With an encoding, and in the older form without one ("The Erlang I/O Protocol").
            case ("get_until", _, _, module, _, _) | ("get_until", _, module, _, _):
                pass
            case _:
                return
        if not is_atom(module, "erl_scan"):
            return
        if len(self._waiting) >= _MOST:
            self._waiting.clear()
        self._waiting[_identity(reference)] = None

    def answered(self, reference: Reference) -> bool:
        """Return whether ``reference`` is of a waiting request, and forget it."""
        # ``None`` is the stored value, 0 stands for a reference that is not there.
        return self._waiting.pop(_identity(reference), 0) is None


def _identity(reference: Reference) -> tuple[int, ...]:
    """Return the parts of a reference without its node, which is renamed in one direction."""
    return reference.creation, *reference.words
