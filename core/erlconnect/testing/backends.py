"""The checks of a backend: the real one is asked, twice where the order of its answers counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from erlconnect.contract import ListsServices, Ref, Target, WatchesTargets
from erlconnect.distribution.names import NodeName
from erlconnect.errors import LookupFailedError, NoNodeFoundError
from erlconnect.testing.kit import (
    DEADLINE_SECONDS,
    cancelled_early,
    demand,
    demand_type,
    nothing_left,
    refusal,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.contract import Backend, Dialer, Query, SessionApi

# Ports of TCP have 16 bits (RFC 9293, section 3.1).
_HIGHEST_PORT: Final = 65535
_WATCH_SECONDS: Final = 0.5


class StandaloneSession:
    """A session that opens nothing and remembers its ``warnings``."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        """Raise ``AssertionError``: for a backend that needs a transport, pass a session."""
        raise AssertionError(
            f"the backend asks for the transport {ref.name!r} to {target.address}: "
            "call check_backend(..., session=...) with a session that has it"
        )

    def warn(self, message: str) -> None:
        """Remember ``message``."""
        self.warnings.append(message)


async def check_backend(
    backend: Backend,
    query: Query,
    *,
    missing: Query | None = None,
    session: SessionApi | None = None,
) -> None:
    """Check a backend with a ``query`` that has targets and one that is ``missing``.

    ``WatchesTargets`` and ``ListsServices`` are checked where ``backend`` has them. Cancelled, it
    leaves behind what ``backend`` leaves.
    """
    session = session or StandaloneSession()
    found = await within(backend.discover(query, session), "discover()", DEADLINE_SECONDS)
    _check_targets(found, "discover()")
    # Without --all the first node that answers is taken, so the order must not change by chance.
    again = await within(backend.discover(query, session), "discover()", DEADLINE_SECONDS)
    demand(
        list(found) == list(again), "two discoveries must give the same targets in the same order"
    )
    if missing is not None:
        await refusal(
            backend.discover(missing, session),
            (NoNodeFoundError, LookupFailedError),
            f"discover() of {missing.service!r}, which is missing,",
            DEADLINE_SECONDS,
        )

    async def discover() -> None:
        await backend.discover(query, session)

    # Ctrl-C cancels a discovery at whichever await it has come to.
    await cancelled_early(discover, "discover()")
    if isinstance(backend, WatchesTargets):
        await _check_watching(backend, query, session)
    if isinstance(backend, ListsServices):
        await _check_services(backend, session)


def _check_targets(targets: Sequence[Target], what: str) -> None:
    demand_type(targets, (list, tuple), f"what {what} gives")
    # Only an error can say why nothing was found, and what to do about it.
    demand(targets, f"{what} must raise NoNodeFoundError where it finds nothing")
    for target in targets:
        demand_type(target, Target, f"each of what {what} gives")
        _check_target(target)


def _check_target(target: Target) -> None:
    demand_type(target.node, NodeName, "the node of a target")
    demand_type(target.address, str, "the address of a target")
    demand(target.address.strip(), "the address of a target must not be empty")
    _check_port(target.epmd_port, "epmd_port")
    if target.dist_port is not None:
        _check_port(target.dist_port, "dist_port")
    _check_refs(target.cookies, "cookies")
    _check_refs(target.transports, "transports")
    demand_type(target.facts, Mapping, "the facts of a target")
    for name, fact in target.facts.items():
        demand_type(name, str, "the name of a fact")
        demand_type(fact, str, f"the fact {name!r}")


def _check_port(port: int, what: str) -> None:
    demand_type(port, int, what)
    demand(0 < port <= _HIGHEST_PORT, f"{what} must be from 1 to {_HIGHEST_PORT}, not {port}")


def _check_refs(refs: tuple[Ref, ...], what: str) -> None:
    demand_type(refs, tuple, f"the {what} of a target")
    for ref in refs:
        demand_type(ref, Ref, f"each of the {what} of a target")
        demand(ref.name, f"each of the {what} of a target must have a name")
        demand_type(ref.settings, Mapping, f"the settings of {ref.name!r}")


async def _check_watching(backend: WatchesTargets, query: Query, session: SessionApi) -> None:
    """Watch for a moment: nothing has to change in it, and nothing may be left of it."""
    async with nothing_left("watch()"):
        changes = backend.watch(query, session)
        with suppress(TimeoutError):
            async with asyncio.timeout(_WATCH_SECONDS):
                async for targets in changes:
                    _check_targets(targets, "watch()")


async def _check_services(backend: ListsServices, session: SessionApi) -> None:
    services = await within(backend.services(session), "services()", DEADLINE_SECONDS)
    demand_type(services, (list, tuple), "what services() gives")
    for service in services:
        demand_type(service, str, "each of what services() gives")
        demand(service, "services() must not give an empty name")
    again = await within(backend.services(session), "services()", DEADLINE_SECONDS)
    demand(list(services) == list(again), "services() must have a stable order")
