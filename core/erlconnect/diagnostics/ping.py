"""The handshake with the first target that answers, and the time of each phase: ``ping``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from erlconnect.diagnostics.otp_releases import release_by_flags
from erlconnect.errors import CookieNotFoundError
from erlconnect.session.inspection import inspection_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.proxy.timing import Span, Timer
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.cookies import RemoteCookie
    from erlconnect.session.inspection import InspectionSession

# The names of the phases in the output. Other phases are parts of one of these, or contain some.
PHASES: Final = {
    "lookup": "lookup",
    "transport": "transport",
    "epmd": "epmd",
    "connect": "connect",
    "send_name": "send_name",
    "status": "status",
    "challenge": "challenge",
    "challenge_reply": "reply",
    "challenge_ack": "ack",
    "tick": "tick",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """A node that answered; ``cookie_source`` is empty where the cookie was not tried."""

    event: ClassVar[str] = "pong"
    node: str
    address: str
    dist_port: int
    transport: str
    cookie_source: str
    creation: int
    otp: str


async def ping(
    config: SessionConfig,
    catalogue: Catalogue,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
    on_timer: Callable[[Timer], None],
) -> Pong:
    """Probe the first target that answers; with a cookie make the whole handshake and send a tick.

    ``on_timer`` is called with the timer before the first phase, so that the phases are known
    after a failure, too.
    Raises ``ErlconnectError``.
    """
    async with inspection_session(config, catalogue, environment, warn) as inspection:
        # Before the first phase: where it fails, the caller still has the timer.
        on_timer(inspection.timer)
        with inspection.timer.phase("lookup"):
            targets = await inspection.context.discovery.targets()
        connected = await inspection.context.discovery.connect_first_of(targets)
        try:
            return await _handshake(inspection, connected)
        finally:
            connected.close()


async def _handshake(inspection: InspectionSession, connected: ConnectedTarget) -> Pong:
    # Passthrough has a source and no cookie: only the local node has it, so none is tried.
    remote = await _cookie(inspection, connected)
    if remote and remote.cookie:
        async with inspection.connection(connected, remote.cookie) as connection:
            await connection.ping()
    return Pong(
        node=str(connected.target.node),
        address=connected.target.address,
        dist_port=connected.port,
        transport=connected.transport,
        cookie_source=remote.source if remote and remote.cookie else "",
        creation=connected.probe_result.creation,
        otp=release_by_flags(connected.probe_result.flags),
    )


async def _cookie(inspection: InspectionSession, connected: ConnectedTarget) -> RemoteCookie | None:
    """Return the cookie; ``None`` where no source was named and none has it.

    Raises ``CookieNotFoundError`` where a source was named.
    """
    ask = not inspection.context.config.no_input
    try:
        return await inspection.context.cookies.fetch(connected.target, ask=ask)
    except CookieNotFoundError as error:
        if inspection.context.config.cookie_source.name:
            raise
        inspection.context.warn(f"only knocked, without trying a cookie: {error.message}")
    return None


def phase_results(phases: Iterable[Span]) -> list[Span]:
    """Return the phases that have a name here, each once, in their order.

    A probe comes before the handshake that the cookie is for: of a phase that happens twice, the
    later one counts. A phase that failed is left out, because the error is shown.
    """
    latest: dict[str, Span] = {}
    for phase in phases:
        if phase.name in PHASES and phase.error is None:
            latest[phase.name] = phase
    return [latest[name] for name in PHASES if name in latest]
