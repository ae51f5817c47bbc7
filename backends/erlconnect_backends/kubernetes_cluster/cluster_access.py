"""One API server and the right to ask it, with credentials that are renewed when they expire.

Refuses to know where credentials come from (``client``) and to connect (``connection``).
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from urllib.parse import SplitResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who asks: headers for every request, and the TLS that shows a client's certificate.

    ``tls`` is ``None`` for plain HTTP, which goes to this machine only (``kubectl proxy``).
    """

    headers: tuple[tuple[str, str], ...] = field(repr=False)
    tls: ssl.SSLContext | None
    tls_server_name: str
    certificate: bytes = b""

    def differ_from(self, others: Credentials) -> bool:
        """Say whether the server may think otherwise of these."""
        return (self.headers, self.certificate) != (others.headers, others.certificate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What one reading of the kubeconfig gave; ``good_until`` is a time of ``time.monotonic``."""

    server: SplitResult
    proxy: str
    credentials: Credentials
    good_until: float


class ClusterAccess:
    """One API server and the right to ask it; ``client.cluster_access`` makes one."""

    def __init__(
        self, *, context: str, namespace: str, loaded: Loaded, load: Callable[[], Awaitable[Loaded]]
    ) -> None:
        self.context: Final = context
        self.namespace: Final = namespace
        self._loaded = loaded
        self._load = load
        self._lock = asyncio.Lock()

    @property
    def server(self) -> str:
        """The API server's URL, without a slash at its end."""
        return self._loaded.server.geturl()

    @property
    def host(self) -> str:
        """The API server's host, without brackets."""
        return self._loaded.server.hostname or ""

    @property
    def port(self) -> int:
        """The API server's port."""
        return self._loaded.server.port or (443 if self._loaded.server.scheme == "https" else 80)

    @property
    def authority(self) -> str:
        """The value of the header ``Host``."""
        return self._loaded.server.netloc

    @property
    def path_prefix(self) -> str:
        """What stands before ``/api`` in every path, as behind Rancher; usually nothing."""
        return self._loaded.server.path

    @property
    def proxy(self) -> str:
        """The URL of the proxy that leads there; empty where there is none."""
        return self._loaded.proxy

    async def credentials(self) -> Credentials:
        """Give credentials that hold now; to be asked for before each connection.

        Raises ``ConfigurationError`` or ``LookupTimeoutError`` where there are none any more.
        """
        async with self._lock:
            if time.monotonic() >= self._loaded.good_until:
                self._loaded = await self._load()
            return self._loaded.credentials

    async def renew(self, refused: Credentials) -> Credentials:
        """Give credentials after the server did not accept ``refused``; they may be the same.

        Raises like ``credentials``.
        """
        async with self._lock:
            if self._loaded.credentials is refused:
                self._loaded = await self._load()
            return self._loaded.credentials
