"""The cookie source ``passthrough``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect_plugins.cookies.passthrough import erlconnect_cookie_sources

if TYPE_CHECKING:
    from erlconnect.api import Target


async def test_it_knows_no_cookie(target: Target) -> None:
    (offer,) = erlconnect_cookie_sources()
    source = offer.create(offer.settings())

    assert offer.name == "passthrough"
    assert await source.fetch(target) is None
