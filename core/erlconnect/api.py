"""All that a plugin may import from erlconnect.

A plugin is a module named by an entry point in the group ``erlconnect``. It registers ``Offer``
objects through the hooks of ``erlconnect.hookspecs``; nothing here opens a connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, runtime_checkable

import pluggy
import pydantic

from erlconnect.child_starts import started_whole
from erlconnect.cookie_file import cookie_text, default_cookie_file, read_cookie_file
from erlconnect.distribution.names import NodeName
from erlconnect.erlang_variables import (
    ERLANG_VARIABLES,
    ErlangVariables,
    cookie_in_flags,
    read_variables,
)
from erlconnect.errors import (
    ConfigurationError,
    CookieNotFoundError,
    ErlconnectError,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    NoNodeFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    UsageError,
)
from erlconnect.redaction import redact, remember
from erlconnect.streams.codec import StreamCodec
from erlconnect.streams.pump import StreamPump
from erlconnect.streams.sockets import readable_within
from erlconnect.tls.handshake import Tls, tls_handshake
from erlconnect.tls.handshake import strict as strict_tls
from erlconnect.tls.pump import TlsPump

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

__all__ = [
    "ERLANG_VARIABLES",
    "Backend",
    "ConfigurationError",
    "Cookie",
    "CookieNotFoundError",
    "CookieSource",
    "DescribesRights",
    "Dialer",
    "ErlangVariables",
    "ErlconnectError",
    "ExplainsEnd",
    "ListsServices",
    "LookupFailedError",
    "LookupTimeoutError",
    "NameNotFoundError",
    "NoNodeFoundError",
    "NodeName",
    "Offer",
    "Query",
    "Ref",
    "RefusedError",
    "SessionApi",
    "Settings",
    "StreamCodec",
    "StreamPump",
    "SuggestedProfile",
    "SuggestsProfiles",
    "Target",
    "TimedOutError",
    "Tls",
    "TlsPump",
    "Transport",
    "UnreachableError",
    "UsageError",
    "WatchesTargets",
    "cookie_in_flags",
    "cookie_text",
    "default_cookie_file",
    "hookimpl",
    "read_cookie_file",
    "read_variables",
    "readable_within",
    "redact",
    "remember",
    "started_whole",
    "strict_tls",
    "tls_handshake",
]

hookimpl = pluggy.HookimplMarker("erlconnect")


class Settings(pydantic.BaseModel):
    """The settings of one offer, declared once.

    A key is the field's name with dashes: ``token_file`` is ``-o token-file=PATH`` and
    ``ERLCONNECT_<OFFER>_TOKEN_FILE``. ``Field(description=...)`` is the text of help and docs.
    """

    model_config = pydantic.ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda field_name: field_name.replace("_", "-"),
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    argument: ClassVar[str | None] = None
    """The field that ``NAME:ARG`` sets, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Another plugin's offer by name, with settings for it; plugins never import each other."""

    name: str
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One remote node that a backend found.

    ``node`` is the name as the backend knows it; the knock corrects it. An empty ``node.name``
    means that only the node itself or its epmd can tell. ``dist_port`` is ``None`` where the
    remote epmd has to be asked. ``cookies`` and ``transports`` are best first. ``facts`` are shown
    to people and never parsed; a ``node`` template of the user may name them as ``{fields}``.
    """

    node: NodeName
    address: str
    dist_port: int | None = None
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

    __slots__ = ("__text", "note", "origin")

    def __init__(self, text: str, *, origin: str, note: str = "") -> None:
        remember(text)
        self.__text = text
        self.origin = origin
        self.note = note

    def reveal(self) -> str:
        """Give the cookie's characters, for a digest or a private file and nothing else."""
        return self.__text

    def __repr__(self) -> str:
        return f"Cookie(origin={self.origin!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a cookie is not pickled")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedProfile:
    """A profile for a first configuration file; ``why`` says what it was made from.

    ``settings`` are those of the backend, by their keys, and hold no secret.
    """

    name: str
    why: str
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@runtime_checkable
class SuggestsProfiles(Protocol):
    """A backend that sees on this machine where it is used, for ``profiles init``."""

    def suggested_profiles(self, environment: Mapping[str, str]) -> Sequence[SuggestedProfile]:
        """Give a profile for each place that the files and variables of this user name.

        Asks no other machine. Raises an ``ErlconnectError`` where something cannot be read.
        """


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
    needs: tuple[str, ...] = ()
    install: str = ""
