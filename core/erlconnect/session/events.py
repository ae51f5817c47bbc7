"""What a session reports while it runs, and its status, with the objects that ``--json`` prints.

``session.py`` and ``alias.py`` make the events; a ``Reporter`` of the command line shows them. The
names of the fields are part of the public contract: docs/reference/events.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from erlconnect.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.errors import ErlconnectError
    from erlconnect.hookspecs import LinkEvent

SCHEMA = 1
# The fields whose strings go out as JSON exactly as they are. All others are redacted, those that
# are added one day, too. A cookie may be a common word: without these exceptions one that is `app`
# would make an alias useless, and one that is `error` an event unknown.
_EXACT_FIELDS: Final = frozenset(
    {
        # Words of erlconnect's own, by which programs tell objects apart.
        *("event", "cause", "step", "status", "phase", "flags", "otp", "since"),
        # Names of offers and of profiles; no secret is ever one.
        *("backend", "transport", "transports", "cookie_source", "cookie_sources", "name"),
        # What the user wrote on the command line to name a target, and programs compare.
        *("service", "profile", "targets"),
        # Names and addresses of nodes: a program has to connect to exactly these. The distribution
        # and epmd send them in the clear.
        *("alias", "short_alias", "ipv6_alias", "node", "old_node", "expected", "address"),
        *("local_node", "caller_name"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasEntry:
    """One alias of ``ready``: its forms, where its target is, and how that is reached."""

    alias: str
    short_alias: str
    ipv6_alias: str
    node: str
    address: str
    dist_port: int
    local_port: int
    backend: str
    transport: str
    cookie_source: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """From now on ``Node.connect`` works; reported again, whole, when an alias is added."""

    event: ClassVar[str] = "ready"
    epmd_port: int
    epmd_embedded: bool
    aliases: Sequence[AliasEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLost:
    """The target of an alias is gone and nothing has replaced it; with ``--all`` the alias, too."""

    event: ClassVar[str] = "target-lost"
    alias: str
    node: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReplaced:
    """From now on the alias stands for another node."""

    event: ClassVar[str] = "target-replaced"
    alias: str
    old_node: str
    node: str
    address: str
    dist_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The guard did not let a message of a link pass; ``direction`` is where it would have gone.

    ``what`` is ``module:function/arity`` or a stable word.
    """

    event: ClassVar[str] = "refused"
    rule: str
    direction: str
    what: str
    alias: str
    node: str
    local_node: str
    caller_name: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something to know that stops nothing."""

    event: ClassVar[str] = "warning"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The session is over; nothing of it is left."""

    event: ClassVar[str] = "stopped"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An error; of a link that never came up where ``alias`` is set, else of the session."""

    event: ClassVar[str] = "error"
    error: ErlconnectError
    alias: str = ""
    local_node: str = ""


Event = Ready | Refused | TargetLost | TargetReplaced | Warned | Stopped | Failed


class Reporter(Protocol):
    """Shows events to people or programs."""

    def report(self, event: Event | LinkEvent) -> None:
        """Show one event; must not raise."""

    def progress(self, message: str) -> None:
        """Show what the session is doing just now."""


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


def payload(event: Event | LinkEvent) -> dict[str, Any]:
    """Return the JSON object of an event: ``schema``, ``event`` and its fields."""
    match event:
        case Ready():
            fields = _ready(event)
        case Failed():
            fields = _failed(event)
        case TargetLost() | TargetReplaced() | Refused() | Warned() | Stopped():
            fields = _fields(event)
        case _:
            return {"schema": SCHEMA, "event": event.kind, **_link(event)}
    return {"schema": SCHEMA, "event": event.event, **fields}


def status_payload(status: SessionStatus) -> dict[str, Any]:
    """Return the JSON object of a session."""
    return {
        "schema": SCHEMA,
        "event": "session",
        "pid": status.pid,
        "since": _time(status.since),
        "targets": list(status.targets),
        "epmd": {"port": status.epmd_port, "embedded": status.epmd_embedded},
        "aliases": [
            {**alias_fields(one.entry), "links": [_link_payload(link) for link in one.links]}
            for one in status.aliases
        ],
    }


def redacted_fields(value: Any, field: str = "") -> Any:
    """Return ``value`` as it may go out as JSON; ``field`` is the name that it has there."""
    match value:
        case str():
            return value if field in _EXACT_FIELDS else redact(value)
        case dict():
            return {name: redacted_fields(one, name) for name, one in value.items()}
        case list() | tuple():
            return [redacted_fields(one, field) for one in value]
        case _:
            return value


def alias_fields(alias: AliasEntry) -> dict[str, Any]:
    """Return the JSON object of an alias."""
    return {**_fields(alias), "facts": dict(alias.facts)}


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__ if name != "event"}


def _ready(event: Ready) -> dict[str, Any]:
    # Every alias has these three, too; here they are those of the first one.
    first = event.aliases[0]
    return {
        "backend": first.backend,
        "transport": first.transport,
        "cookie_source": first.cookie_source,
        "epmd": {"port": event.epmd_port, "embedded": event.epmd_embedded},
        "aliases": [alias_fields(one) for one in event.aliases],
    }


def _failed(event: Failed) -> dict[str, Any]:
    error = event.error
    fields = {
        "code": int(error.exit_code),
        "cause": error.cause,
        "message": error.message,
        "remedy": error.remedy,
    }
    if event.alias:
        fields |= {"alias": event.alias, "local_node": event.local_node}
    return fields


def _link(event: LinkEvent) -> dict[str, Any]:
    fields = _fields(event)
    del fields["kind"]
    if event.kind == "link-down":
        return fields
    return {key: fields[key] for key in ("alias", "node", "local_node", "caller_name")}


def _link_payload(link: LinkStatus) -> dict[str, Any]:
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
        "refused": counted.refused,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
