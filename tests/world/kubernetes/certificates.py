"""The certificate authority of one cluster, made for one test."""

from __future__ import annotations

import ssl

import trustme


class Authority:
    """A CA of its own, in memory."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="cluster of a test")

    @property
    def certificate(self) -> bytes:
        """The CA's certificate, PEM: what clients trust."""
        return self._authority.cert_pem.bytes()

    def server_context(self) -> ssl.SSLContext:
        """What the API server listens with: it is ``127.0.0.1``, ``::1`` and ``localhost``."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own = self._authority.issue_cert("127.0.0.1", "::1", "localhost")
        own.configure_cert(context)
        return context
