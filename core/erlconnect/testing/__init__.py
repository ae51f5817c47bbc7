"""The conformance kit: checks that a plugin keeps the contract of ``erlconnect.api``.

Works with any test framework and needs none. Every check raises ``AssertionError`` with a sentence
that says what the contract asks for::

    async def test_backend() -> None:
        backend = NomadBackend(NomadSettings(address=fake.url))
        await check_backend(backend, Query(service="shop"), missing=Query(service="nobody"))
"""

from __future__ import annotations

from erlconnect.testing.backends import StandaloneSession, check_backend
from erlconnect.testing.cookie_sources import check_cookie_source
from erlconnect.testing.kit import check_offer
from erlconnect.testing.transports import check_transport

__all__ = [
    "StandaloneSession",
    "check_backend",
    "check_cookie_source",
    "check_offer",
    "check_transport",
]
