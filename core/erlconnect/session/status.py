"""What a running session tells of itself when it is asked, in the words that ``--json`` prints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from erlconnect.session.events import SCHEMA, alias_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.hookspecs import LinkEvent
    from erlconnect.session.events import AliasEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkStatus:
    """A link that is up, and what it has counted so far; ``since`` is in seconds since 1970."""

    since: float
    counted: LinkEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasStatus:
    """An alias and the links to it."""

    entry: AliasEntry
    links: Sequence[LinkStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """One session; ``aliases`` are none and ``epmd_port`` is 0 while it opens."""

    pid: int
    since: float
    targets: Sequence[str]
    epmd_port: int
    epmd_embedded: bool
    aliases: Sequence[AliasStatus]


def status_payload(status: SessionStatus) -> dict[str, Any]:
    """Give the JSON object of a session."""
    return {
        "schema": SCHEMA,
        "event": "session",
        "pid": status.pid,
        "since": _time(status.since),
        "targets": list(status.targets),
        "epmd": {"port": status.epmd_port, "embedded": status.epmd_embedded},
        "aliases": [
            {**alias_fields(one.entry), "links": [_link(link) for link in one.links]}
            for one in status.aliases
        ],
    }


def _link(link: LinkStatus) -> dict[str, Any]:
    counted = link.counted
    return {
        "local_node": counted.local_node,
        "caller_name": counted.caller_name,
        "since": _time(link.since),
        "bytes_in": counted.bytes_in,
        "bytes_out": counted.bytes_out,
        "frames_in": counted.frames_in,
        "frames_out": counted.frames_out,
        "rewritten": counted.rewritten,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
