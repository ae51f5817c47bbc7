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
        """What the API server listens with: it is ``127.0.0.1``, ``::1`` and ``localhost``.

        Clients may show a certificate of this authority.
        """
        context = ssl.create_default_context(
            ssl.Purpose.CLIENT_AUTH, cadata=self.certificate.decode()
        )
        context.verify_mode = ssl.CERT_OPTIONAL
        own = self._authority.issue_cert("127.0.0.1", "::1", "localhost")
        own.configure_cert(context)
        return context

    def client(self, user: str, group: str) -> tuple[bytes, bytes]:
        """A certificate that stands for a user of one group, and its key, both PEM."""
        own = self._authority.issue_cert(common_name=user, organization_name=group)
        return own.cert_chain_pems[0].bytes(), own.private_key_pem.bytes()
