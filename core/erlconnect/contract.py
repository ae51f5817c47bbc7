"""The contract between the session and its plugins; ``erlconnect.api`` exports it.

First the roles: ``Backend``, ``CookieSource`` and ``Transport`` with its ``Dialer``, which a plugin
implements, and ``SessionApi``, which the session gives to a backend. The protocols that can be
checked at run time are further abilities that such an object may have. Then the values that go
between both; none of them can be changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, runtime_checkable

import pydantic

from erlconnect.redaction import remember

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.distribution.names import NodeName


class SessionApi(Protocol):
    """What the session offers to a backend while it discovers."""

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        """Open the transport that ``ref`` names, e.g. to ask a DNS server through a tunnel."""

    def warn(self, message: str) -> None:
        """Show the user a problem that does not stop the session."""


class Backend(Protocol):
    """Finds targets."""

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Return the targets that fit, in a stable order; never an empty list.

        Raises ``LookupFailedError`` or a subclass where the directory could not answer, and
        ``NoNodeFoundError`` where it answered with nothing usable.
        """


class CookieSource(Protocol):
    """Fetches the cookie of a target."""

    async def fetch(self, target: Target) -> Cookie | None:
        """Return the cookie; ``None`` where the place was looked at and holds none."""


class Dialer(Protocol):
    """Opens streams to the ports of one target, as often as it is asked."""

    async def dial(self, port: int) -> socket.socket:
        """Return a connected, plain, non-blocking socket to ``port``; never an ``SSLSocket``.

        The caller owns the socket. Raises ``UnreachableError``, ``TimedOutError`` or
        ``RefusedError``. Cancelled, it leaves no socket behind.
        """


@runtime_checkable
class ExplainsEnd(Protocol):
    """A dialer that knows more than an end of file when a stream ends."""

    async def why_ended(self, stream: socket.socket) -> str:
        """Return in words why ``stream``, which ``dial`` returned, ended; empty where unknown.

        Takes a second at most.
        """


class Transport(Protocol):
    """Opens byte streams to ports of a target."""

    def open(self, target: Target) -> AbstractAsyncContextManager[Dialer]:
        """Prepare the way to ``target``; leaving the context closes all that was opened."""


@runtime_checkable
class WatchesTargets(Protocol):
    """A backend that learns by itself when its targets change."""

    def watch(self, query: Query, session: SessionApi) -> AsyncIterator[Sequence[Target]]:
        """Yield the whole list of targets whenever it changes; a failed lookup yields nothing."""


@runtime_checkable
class ListsServices(Protocol):
    """A backend that can say which services there are, for completion."""

    async def services(self, session: SessionApi) -> Sequence[str]:
        """Return the names that may be used as TARGET."""


@runtime_checkable
class DescribesRights(Protocol):
    """A backend that can say which rights its platform has to give to the user."""

    async def rights(self, query: Query, session: SessionApi) -> str:
        """Return the smallest set of rights that does for ``query``, in the platform's own form.

        For Kubernetes this is a Role as YAML. It must also work while rights are still missing.
        """


@runtime_checkable
class SuggestsProfiles(Protocol):
    """A backend that sees on this machine where it is used, for ``profiles init``."""

    def suggested_profiles(self, environment: Mapping[str, str]) -> Sequence[SuggestedProfile]:
        """Return a profile for each place that the files and variables of this user name.

        Asks no other machine. Raises an ``ErlconnectError`` where something cannot be read.
        """


class Settings(pydantic.BaseModel):
    """The settings of one offer, declared once.

    A key is the field's name with dashes: ``token_file`` is ``-o token-file=PATH`` and
    ``ERLCONNECT_<OFFER>_TOKEN_FILE``. ``Field(description=...)`` is the text of help and docs.
    """

    model_config = pydantic.ConfigDict(
        frozen=True,
        # A mistyped key has to be an error; pydantic would ignore it otherwise.
        extra="forbid",
        alias_generator=lambda field_name: field_name.replace("_", "-"),
        populate_by_name=True,
        # Pydantic's messages would quote the value, which may be a secret.
        hide_input_in_errors=True,
    )

    argument: ClassVar[str | None] = None
    """The field that ``NAME:ARG`` sets, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Another plugin's offer by name, with settings for it; plugins never import each other.

    With ``only_if_named`` the offer is not used by itself: its settings are inherited where a flag
    or a profile names the offer.
    """

    name: str
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    only_if_named: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One remote node that a backend found.

    ``node`` is the name as the backend knows it; the probe corrects it. An empty ``node.name``
    means that only the node itself or its epmd knows it. ``dist_port`` is ``None`` where the
    remote epmd has to be asked. ``cookies`` and ``transports`` are best first. ``facts`` are shown
    to people and never parsed; a ``node`` template of the user may name them as ``{fields}``.
    """

    node: NodeName
    address: str
    dist_port: int | None = None
    # The port that IANA has assigned to epmd.
    epmd_port: int = 4369
    cookies: tuple[Ref, ...] = ()
    transports: tuple[Ref, ...] = ()
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What the user asked a backend for: TARGET of the command line."""

    service: str


class Cookie:
    """A magic cookie that does not show itself: not by ``repr``, ``str``, ``pickle`` or ``vars``.

    ``text`` holds characters U+0000 to U+00FF, because the digest is over the Latin-1 bytes of the
    cookie's characters. ``origin`` says where it came from, in words that may be shown, and
    ``note`` what the user should know of how it was read.
    """

    # Without slots there would be a __dict__, and ``vars`` would show the text.
    __slots__ = ("__text", "note", "origin")

    def __init__(self, text: str, *, origin: str, note: str = "") -> None:
        # Before anything else can log it: ``redact`` replaces every text that was remembered.
        remember(text)
        self.__text = text
        self.origin = origin
        self.note = note

    def reveal(self) -> str:
        """Return the cookie's characters, for a digest or a private file and nothing else."""
        return self.__text

    def __repr__(self) -> str:
        return f"Cookie(origin={self.origin!r})"

    def __reduce__(self) -> NoReturn:
        # A pickle is plain text for everybody who can read its file or pipe.
        raise TypeError("a cookie is not pickled")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedProfile:
    """A profile for a first configuration file; ``why`` says what it was made from.

    ``settings`` are those of the backend, by their keys, and hold no secret.
    """

    name: str
    why: str
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One backend, cookie source or transport that a plugin registers.

    ``name`` is the name of the entry point. ``create`` gets the validated settings. ``needs`` are
    importable library names that are looked for before ``create`` is called; ``install`` says how
    to get them.
    """

    name: str
    summary: str
    settings: type[Settings]
    create: Callable[[Any], Any]
    # Names, so that a missing library is reported before ``create`` tries to import it.
    needs: tuple[str, ...] = ()
    install: str = ""


# A dialer need not have ``why_ended``; plugins that were written without it stay valid.
async def disconnect_reason(dialer: Dialer, stream: socket.socket) -> str:
    """Return why ``stream`` ended, as its transport explains it; empty where it does not."""
    return await dialer.why_ended(stream) if isinstance(dialer, ExplainsEnd) else ""
