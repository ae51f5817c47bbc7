"""Runs the backend as a session does, and keeps what it warns of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from erlconnect.api import Query
from erlconnect.configuration.settings import resolve_settings
from erlconnect_backends.dns.backend import DnsBackend
from erlconnect_backends.dns.plugin import DnsSettings, erlconnect_backends

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.api import Dialer, Ref, Target

# More than a busy machine needs, and short of the limit of a test.
LIMIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSession:
    """A session without tunnels that keeps the warnings."""

    warnings: list[str] = field(default_factory=list)

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        raise AssertionError(f"'dns' asked for a dialer: {ref} to {target}")

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def settings_of(**options: str) -> DnsSettings:
    (offer,) = erlconnect_backends()
    settings = resolve_settings(offer, options=options, inherited={}, environment={})
    assert isinstance(settings, DnsSettings)
    return settings


async def search(
    target: str,
    *,
    session: RecordingSession | None = None,
    seconds: float = LIMIT_SECONDS,
    **options: str,
) -> Sequence[Target]:
    """Discover; without ``session`` no warning is allowed."""
    recorder = session or RecordingSession()
    backend = DnsBackend(settings_of(**options), seconds=seconds)
    found = await backend.discover(Query(service=target), recorder)
    assert session is not None or recorder.warnings == []
    return found


def names_and_places(found: Sequence[Target]) -> list[tuple[str, str, int | None]]:
    return [(str(each.node), each.address, each.dist_port) for each in found]
