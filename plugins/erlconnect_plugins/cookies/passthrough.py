"""Cookie source ``passthrough``: both nodes share the cookie and the proxy knows none.

The session knows this source by its name and lets the handshake's challenges and digests through
as they are, so that both nodes check each other by the cookie that they share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.api import Offer, Settings, hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target


class PassthroughSettings(Settings):
    """Settings of ``passthrough``: none."""


class PassthroughCookieSource:
    """Returns no cookie: the proxy needs none where both nodes share one."""

    def __init__(self, settings: PassthroughSettings) -> None:
        del settings

    async def fetch(self, target: Target) -> None:
        """Return ``None``: the nodes at both ends check each other's digests themselves."""
        del target


@hookimpl
def erlconnect_cookie_sources() -> Sequence[Offer]:
    """Offer ``passthrough``."""
    return [
        Offer(
            name="passthrough",
            summary="No cookie here: both nodes share one and check each other",
            settings=PassthroughSettings,
            create=PassthroughCookieSource,
        )
    ]
