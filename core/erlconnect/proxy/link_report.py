"""What is said of a link: the names in it, and its events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from erlconnect.distribution.name_table import permutation
from erlconnect.errors import NameInUseError
from erlconnect.hookspecs import LinkEvent

if TYPE_CHECKING:
    from erlconnect.proxy.introduction import Introduced
    from erlconnect.proxy.relay import Pump


def names_of(introduced: Introduced) -> dict[str, str]:
    """Give what the local node's names become on the way to the remote one."""
    try:
        return permutation(
            [
                (introduced.alias, introduced.node),
                (introduced.local_node, introduced.caller_name),
                *introduced.neighbours,
            ]
        )
    except ValueError as error:
        raise NameInUseError(
            f"{introduced.local_node} and {introduced.alias} would have the same name: {error}",
            remedy="Give the alias another name with `--as`, or restart the local node under one.",
        ) from error


def came_up(introduced: Introduced) -> LinkEvent:
    """Give the event of a handshake that has just ended."""
    return LinkEvent(
        kind="link-up",
        alias=introduced.alias,
        node=introduced.node,
        local_node=introduced.local_node,
        caller_name=introduced.caller_name,
    )


def so_far(introduced: Introduced, outward: Pump, inward: Pump) -> LinkEvent:
    """Give the event of a link that is up, with what both pumps have counted until now.

    They count in threads of their own, and are read without a lock: no number is ever half written.
    """
    return replace(
        came_up(introduced),
        bytes_in=inward.bytes_read,
        bytes_out=outward.bytes_read,
        frames_in=inward.rewriter.frames,
        frames_out=outward.rewriter.frames,
        rewritten=inward.rewriter.rewritten + outward.rewriter.rewritten,
    )


def went_down(introduced: Introduced, reason: str, outward: Pump, inward: Pump) -> LinkEvent:
    """Give the event of a link that is over, with what both pumps counted."""
    return replace(so_far(introduced, outward, inward), kind="link-down", reason=reason)
