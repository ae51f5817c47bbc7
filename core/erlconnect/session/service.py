"""One TARGET of the command line: what its choices mean for each of its targets.

Which of them get an alias is decided by ``first_target`` or ``instances``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.proxy.introduction import Cookies
from erlconnect.session.approach import Approach
from erlconnect.session.cookies import RemoteCookies, local_cookie
from erlconnect.session.discovery import Discovery
from erlconnect.session.local_door import LocalDoor
from erlconnect.session.offers import Offers
from erlconnect.session.tls_dialer import TlsClient

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from erlconnect.api import Target
    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.proxy.stopwatch import Stopwatch
    from erlconnect.session.approach import Approached
    from erlconnect.session.choices import Choices
    from erlconnect.session.local_names import CallerNames


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A target that answered and whose cookie is known; ``source`` is it as the backend listed it.

    ``cookies`` is ``None`` to pass challenge and digests through.
    """

    source: Target
    approached: Approached
    cookies: Cookies | None
    cookie_source: str


class Service:
    """The means by which the targets of one TARGET are found, reached and introduced."""

    def __init__(
        self,
        choices: Choices,
        catalogue: Catalogue,
        environment: Mapping[str, str],
        *,
        callers: CallerNames,
        group: asyncio.TaskGroup,
        warn: Callable[[str], None],
        progress: Callable[[str], None],
        stopwatch: Stopwatch | None = None,
    ) -> None:
        self.choices = choices
        self.callers = callers
        self.group = group
        self.warn = warn
        self.progress = progress
        self.offers = Offers(catalogue, choices, environment)
        self.door = LocalDoor(choices.options.session)
        tls = self.offers.tls()
        self.approach = Approach(
            self.offers,
            callers,
            group,
            node=choices.node,
            dist_port=choices.options.session.dist_port,
            tls=TlsClient(tls) if tls else None,
            stopwatch=stopwatch,
        )
        self.discovery = Discovery(choices, self.offers, self.approach, warn)
        self.cookies = RemoteCookies(self.offers, warn)

    async def found(self, source: Target, approached: Approached) -> Found:
        """Fetch what is still missing for a link to ``approached``. Raises ``ErlconnectError``."""
        remote = await self.cookies.fetch(approached.target, ask=not self.choices.no_input)
        cookies = None
        if remote.cookie is not None:
            local = local_cookie(self.choices.local_cookie_file)
            cookies = Cookies(local=local, remote=remote.cookie)
        return Found(
            source=source, approached=approached, cookies=cookies, cookie_source=remote.source
        )
