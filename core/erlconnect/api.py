"""All that a plugin may import from erlconnect.

A plugin is a module named by an entry point in the group ``erlconnect``. It registers ``Offer``
objects through the hooks of ``erlconnect.hookspecs``; nothing here opens a connection.
"""

from __future__ import annotations

import pluggy

from erlconnect.contract import (
    Backend,
    Cookie,
    CookieSource,
    DescribesRights,
    Dialer,
    ExplainsEnd,
    ListsServices,
    Offer,
    Query,
    Ref,
    SessionApi,
    Settings,
    SuggestedProfile,
    SuggestsProfiles,
    Target,
    Transport,
    WatchesTargets,
)
from erlconnect.cookie_file import cookie_text, default_cookie_file, read_cookie_file
from erlconnect.distribution.names import NodeName, is_helper
from erlconnect.emulator_args import (
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
from erlconnect.net.http1 import (
    Headers,
    HttpConnection,
    HttpError,
    HttpProxy,
    HttpRequest,
    HttpResponse,
    IncompleteAnswerError,
    Stream,
    open_stream,
)
from erlconnect.net.http1 import TooLongError as HttpTooLongError
from erlconnect.net.sockets import readable_within, set_within
from erlconnect.net.stream_pump import StreamCodec, StreamPump
from erlconnect.net.subprocesses import started_whole
from erlconnect.net.tls import Tls, TlsPump, tls_handshake
from erlconnect.net.tls import strict as strict_tls
from erlconnect.net.tls_context import (
    certificate_remedy,
    client_context,
    load_own_certificate,
    tls_words,
)
from erlconnect.redaction import redact, remember

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
    "Headers",
    "HttpConnection",
    "HttpError",
    "HttpProxy",
    "HttpRequest",
    "HttpResponse",
    "HttpTooLongError",
    "IncompleteAnswerError",
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
    "Stream",
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
    "certificate_remedy",
    "client_context",
    "cookie_in_flags",
    "cookie_text",
    "default_cookie_file",
    "hookimpl",
    "is_helper",
    "load_own_certificate",
    "open_stream",
    "read_cookie_file",
    "read_variables",
    "readable_within",
    "redact",
    "remember",
    "set_within",
    "started_whole",
    "strict_tls",
    "tls_handshake",
    "tls_words",
]
hookimpl = pluggy.HookimplMarker("erlconnect")
