"""What the remote node's shells wait for: the requests of Erlang's shell for what is typed.

The two directions of a link run in two threads. One adds and the other takes, each in one step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect.distribution.bounded_terms import is_atom

if TYPE_CHECKING:
    from erlconnect.distribution.etf import Reference

# So many may wait. A shell has one, so that whoever has more does not wait for the first ones.
_MOST: Final = 4096


class ShellReads:
    """The requests for tokens that were not answered yet."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, ...], None] = {}

    def asked(self, reference: Reference, request: Any) -> None:
        """Remember a request of the remote node, if it is one for what is typed."""
        match request:
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
        """Return whether the request is such a one; it waits no more."""
        return self._waiting.pop(_identity(reference), 0) is None


def _identity(reference: Reference) -> tuple[int, ...]:
    """Return what is the same in both directions, in which its node has two names."""
    return reference.creation, *reference.words
