"""The hooks that a plugin may implement, by ``erlconnect.api.hookimpl``.

All are synchronous: they register offers or observe a link, and do no work that waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.contract import Offer

HOOKSPEC_VERSION: Final = 1
"""Grows when an existing hook changes its meaning; a new hook leaves it as it is.

A module may say ``ERLCONNECT_HOOKSPEC_VERSION = 1``: it is then refused by name, and not used
wrongly, by an erlconnect that has another version.
"""
hookspec = pluggy.HookspecMarker("erlconnect")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEvent:
    """One local node's connection to a target, as it comes and goes.

    ``kind`` is ``link-up`` or ``link-down``. ``reason`` and the counters are of the whole life of
    the link and only meaningful on ``link-down``; *in* is from the remote node to the local one.
    """

    kind: Literal["link-up", "link-down"]
    alias: str
    node: str
    local_node: str
    caller_name: str
    reason: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    rewritten: int = 0
    refused: int = 0


@hookspec
def erlconnect_backends() -> Sequence[Offer]:  # type: ignore[empty-body]
    """Return the backends of this plugin; ``create`` returns a ``Backend``."""


@hookspec
def erlconnect_cookie_sources() -> Sequence[Offer]:  # type: ignore[empty-body]
    """Return the cookie sources of this plugin; ``create`` returns a ``CookieSource``."""


@hookspec
def erlconnect_transports() -> Sequence[Offer]:  # type: ignore[empty-body]
    """Return the transports of this plugin; ``create`` returns a ``Transport``."""


@hookspec
def erlconnect_link_event(event: LinkEvent) -> None:
    """Observe a link that came up or went down; called in the session's event loop."""
