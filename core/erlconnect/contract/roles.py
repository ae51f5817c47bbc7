"""What backends, cookie sources and transports can do, and what the session does for them.

Those that are checked at run time are abilities that one of them may have besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.contract.values import Cookie, Query, Ref, SuggestedProfile, Target


class SessionApi(Protocol):
    """What the session offers to a backend while it discovers."""

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        """Open the transport that ``ref`` names, e.g. to ask a DNS server through a tunnel."""

    def warn(self, message: str) -> None:
        """Tell the user something that does not stop the session."""


class Backend(Protocol):
    """Finds targets."""

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Give the targets that fit, in a stable order, never an empty answer for a failed lookup.

        Raises ``LookupFailedError`` or a subclass where the directory could not answer, and
        ``NoNodeFoundError`` where it answered with nothing usable.
        """


class CookieSource(Protocol):
    """Fetches the cookie of a target."""

    async def fetch(self, target: Target) -> Cookie | None:
        """Give the cookie; ``None`` where the place was looked at and holds none."""


class Dialer(Protocol):
    """An open way to one target."""

    async def dial(self, port: int) -> socket.socket:
        """Give a connected, plain, non-blocking socket to ``port``; never an ``SSLSocket``.

        The caller owns the socket. Raises ``UnreachableError``, ``TimedOutError`` or
        ``RefusedError``. Cancelled, it leaves no socket behind.
        """


@runtime_checkable
class ExplainsEnd(Protocol):
    """A dialer that knows more than an end of file when a stream ends."""

    async def why_ended(self, stream: socket.socket) -> str:
        """Say in words why ``stream``, which ``dial`` gave, ended; empty where unknown.

        Takes a second at most.
        """


class Transport(Protocol):
    """Opens byte streams to ports of a target."""

    def open(self, target: Target) -> AbstractAsyncContextManager[Dialer]:
        """Warm up the way to ``target``; leaving the context closes whatever was opened."""


@runtime_checkable
class WatchesTargets(Protocol):
    """A backend that learns by itself when its targets change."""

    def watch(self, query: Query, session: SessionApi) -> AsyncIterator[Sequence[Target]]:
        """Yield the whole list of targets whenever it changes; a failed lookup yields nothing."""


@runtime_checkable
class ListsServices(Protocol):
    """A backend that can say which services there are, for completion."""

    async def services(self, session: SessionApi) -> Sequence[str]:
        """Give what may stand as TARGET."""


@runtime_checkable
class DescribesRights(Protocol):
    """A backend that can say which rights its platform has to give to whoever connects."""

    async def rights(self, query: Query, session: SessionApi) -> str:
        """Give the smallest set of rights that does for ``query``, in the platform's own form.

        For Kubernetes this is a Role as YAML. It is to be given too while rights are still missing.
        """


@runtime_checkable
class SuggestsProfiles(Protocol):
    """A backend that sees on this machine where it is used, for ``profiles init``."""

    def suggested_profiles(self, environment: Mapping[str, str]) -> Sequence[SuggestedProfile]:
        """Give a profile for each place that the files and variables of this user name.

        Asks no other machine. Raises an ``ErlconnectError`` where something cannot be read.
        """
