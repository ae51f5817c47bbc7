"""Which of several names: of the targets, and of those that one remote epmd knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.distribution.names import is_helper
from erlconnect.errors import NoNodeFoundError, SeveralNodesError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.api import Target


def choose_targets(targets: Sequence[Target], wanted: str | None) -> Sequence[Target]:
    """Give the targets that ``--node`` means: by node name, host or address; else all of them.

    Where none fits, the name may be one of a remote epmd, so that all targets stay.
    """
    fitting = [target for target in targets if wanted in _names_of(target)]
    return fitting or targets


def _names_of(target: Target) -> set[str]:
    return {str(target.node), target.node.host, target.address}


def choose_name(
    registered: Mapping[str, int], *, wanted: str | None, expected: str, where: str
) -> str:
    """Give the name to use out of those that the epmd at ``where`` has registered.

    ``wanted`` is what ``--node`` says, ``expected`` the name part that the backend expects, both
    may be empty. Raises ``NoNodeFoundError`` or ``SeveralNodesError``.
    """
    names = sorted(name for name in registered if not is_helper(name))
    part = (wanted or "").partition("@")[0]
    if part in registered or (not part and expected in registered):
        return part or expected
    if not names:
        raise NoNodeFoundError(
            f"the epmd at {where} knows no node ({_listed(registered)})",
            remedy="Start the node with a name, or name its port with `-o dist-port=`.",
        )
    if part or len(names) > 1:
        raise SeveralNodesError(
            f"the epmd at {where} knows {_listed(registered)}; {_why(part)}",
            remedy=f"Name one with `--node`, e.g. `--node {names[0]}`.",
        )
    return names[0]


def _why(part: str) -> str:
    return f"{part!r} is not one of them" if part else "which one is meant?"


def _listed(names: Mapping[str, int]) -> str:
    return ", ".join(sorted(names)) or "no names at all"
