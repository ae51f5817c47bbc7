"""The settings of one TARGET, and the objects that are made from them.

``SessionConfig`` is the last form of a setting before plugins are involved: ``command_line`` makes
it from the flags, the profile and the variables. ``TargetContext`` holds what its targets share:
the plugins, the discovery, the connector and the cookies.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from erlconnect.configuration.session_settings import SessionSettings
from erlconnect.configuration.tls_settings import resolve_tls
from erlconnect.guard.link_guard import GuardConfig
from erlconnect.proxy.handshake import Cookies
from erlconnect.session.connector import Connector
from erlconnect.session.cookies import RemoteCookies, local_cookie
from erlconnect.session.discovery import Discovery
from erlconnect.session.plugin_resolver import PluginResolver, PluginSpec
from erlconnect.session.tls import LocalAcceptor, TlsClient

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.proxy.timing import Timer
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.names import CallerNames


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """One TARGET as it is to be connected; ``None`` leaves a thing to the target or the defaults.

    Where ``cookie_source`` or ``transport`` has no name, the target's own are used, and the best of
    them gets these settings. The settings of TLS are among those of ``transport``.
    """

    service: str
    backend: PluginSpec
    cookie_source: PluginSpec = field(default_factory=PluginSpec)
    transport: PluginSpec = field(default_factory=PluginSpec)
    settings: SessionSettings = field(default_factory=SessionSettings)
    profile: str = ""
    as_name: str | None = None
    node: str | None = None
    all_targets: bool = False
    caller_name: str | None = None
    local_cookie_file: Path | None = None
    visible: bool = False
    guard: GuardConfig = field(default_factory=GuardConfig)
    no_input: bool = False

    @property
    def named(self) -> str:
        """TARGET as a command line may name it."""
        return f"{self.profile}/{self.service}" if self.profile else self.service


class TargetContext:
    """What the targets of one TARGET share: discovery, transports and cookies.

    ``group`` runs the tasks that outlive one call: open transports and searches.
    """

    def __init__(
        self,
        config: SessionConfig,
        catalogue: Catalogue,
        environment: Mapping[str, str],
        *,
        callers: CallerNames,
        group: asyncio.TaskGroup,
        warn: Callable[[str], None],
        progress: Callable[[str], None],
        timer: Timer | None = None,
    ) -> None:
        """Raise ``ErlconnectError`` where the backend or TLS cannot be set up."""
        self.config = config
        self.callers = callers
        self.group = group
        self.warn = warn
        self.progress = progress
        self.plugins = PluginResolver(catalogue, config, environment)
        # The files of TLS are read here: a mistake in them shows before anything is discovered.
        self.acceptor = LocalAcceptor(config.settings)
        tls = resolve_tls(config.transport.options, config.transport.written, environment)
        self.connector = Connector(
            self.plugins,
            callers,
            group,
            node=config.node,
            dist_port=config.settings.dist_port,
            tls=TlsClient(tls) if tls else None,
            timer=timer,
        )
        self.discovery = Discovery(config, self.plugins, self.connector, warn)
        self.cookies = RemoteCookies(self.plugins, warn)

    async def with_cookies(self, connected: ConnectedTarget) -> ConnectedTarget:
        """Return ``connected`` with the cookies for its handshakes. Raises ``ErlconnectError``."""
        remote = await self.cookies.fetch(connected.target, ask=not self.config.no_input)
        # With passthrough there is no cookie: the nodes check each other's digests themselves.
        cookies = None
        if remote.cookie is not None:
            local = local_cookie(self.config.local_cookie_file)
            cookies = Cookies(local=local, remote=remote.cookie)
        return replace(connected, cookies=cookies, cookie_source=remote.source)
