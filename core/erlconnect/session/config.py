"""What the user asked for, once flags, variables and profiles have been read.

One TARGET of the command line: what its choices mean for each of its targets.

Which of them get an alias is decided by ``first_target`` or ``instances``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from erlconnect.proxy.handshake import Cookies
from erlconnect.session.connector import Connector
from erlconnect.session.cookies import RemoteCookies, local_cookie
from erlconnect.session.discovery import Discovery
from erlconnect.session.plugin_resolver import PluginResolver
from erlconnect.session.tls import LocalAcceptor, TlsClient

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from erlconnect.configuration.problems import ConfigValue
    from erlconnect.configuration.session_settings import Options
    from erlconnect.contract import Target
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.proxy.timing import Timer
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.names import CallerNames


def _nothing() -> Mapping[str, ConfigValue]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSettings:
    """The settings that a profile has for the offers that are used, by key."""

    backend: Mapping[str, ConfigValue] = field(default_factory=_nothing)
    cookie: Mapping[str, ConfigValue] = field(default_factory=_nothing)
    transport: Mapping[str, ConfigValue] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """One session's worth of choices; ``None`` leaves a thing to the target or the defaults."""

    service: str
    backend: str
    options: Options
    profile: str = ""
    settings: ProfileSettings = field(default_factory=ProfileSettings)
    cookie_from: str | None = None
    transport: str | None = None
    as_name: str | None = None
    node: str | None = None
    all_targets: bool = False
    caller_name: str | None = None
    local_cookie_file: Path | None = None
    visible: bool = False
    no_input: bool = False

    @property
    def named(self) -> str:
        """TARGET as a command line may name it."""
        return f"{self.profile}/{self.service}" if self.profile else self.service


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredTarget:
    """A target that answered and whose cookie is known; ``source`` is it as the backend listed it.

    ``cookies`` is ``None`` to pass challenge and digests through.
    """

    source: Target
    approached: ConnectedTarget
    cookies: Cookies | None
    cookie_source: str


class TargetContext:
    """The means by which the targets of one TARGET are found, reached and introduced."""

    def __init__(
        self,
        choices: SessionConfig,
        catalogue: Catalogue,
        environment: Mapping[str, str],
        *,
        callers: CallerNames,
        group: asyncio.TaskGroup,
        warn: Callable[[str], None],
        progress: Callable[[str], None],
        stopwatch: Timer | None = None,
    ) -> None:
        self.choices = choices
        self.callers = callers
        self.group = group
        self.warn = warn
        self.progress = progress
        self.offers = PluginResolver(catalogue, choices, environment)
        self.door = LocalAcceptor(choices.options.session)
        tls = self.offers.tls()
        self.approach = Connector(
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

    async def found(self, source: Target, approached: ConnectedTarget) -> DiscoveredTarget:
        """Fetch what is still missing for a link to ``approached``. Raises ``ErlconnectError``."""
        remote = await self.cookies.fetch(approached.target, ask=not self.choices.no_input)
        cookies = None
        if remote.cookie is not None:
            local = local_cookie(self.choices.local_cookie_file)
            cookies = Cookies(local=local, remote=remote.cookie)
        return DiscoveredTarget(
            source=source, approached=approached, cookies=cookies, cookie_source=remote.source
        )
