"""One session: everything stands before the alias appears, and goes with it.

Order: discovery, a warm transport and a knock, the cookies, the local epmd, the listener, the
alias, ``ready``. The other way round at the end.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from erlconnect.epmd.environment import EpmdEnvironment
from erlconnect.epmd.registration import LocalEpmd
from erlconnect.hookspecs import LinkEvent
from erlconnect.proxy.handshake import Cookies
from erlconnect.proxy.listener import Listener
from erlconnect.session.aliased_target import AliasedTarget
from erlconnect.session.approach import Approach
from erlconnect.session.callers import ConnectedCallers
from erlconnect.session.cookies import local_cookie, remote_cookie
from erlconnect.session.discovery import Discovery
from erlconnect.session.events import AliasEntry, Ready, Warned
from erlconnect.session.groups import first_error
from erlconnect.session.local_names import CallerNames, alias_forms
from erlconnect.session.offers import Offers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.approach import Approached
    from erlconnect.session.choices import Choices
    from erlconnect.session.cookies import RemoteCookie
    from erlconnect.session.events import Event, Reporter
    from erlconnect.session.slots import Slot


class Session:
    """``run`` goes on until it is cancelled; then nothing of it is left."""

    def __init__(
        self,
        choices: Choices,
        catalogue: Catalogue,
        reporter: Reporter,
        environment: Mapping[str, str],
        slot: Slot,
        *,
        private_epmd: bool = False,
    ) -> None:
        self._choices = choices
        self._catalogue = catalogue
        self._reporter = reporter
        self._environment = environment
        self._slot = slot
        self._private_epmd = private_epmd
        self._offers = Offers(catalogue, choices, environment)
        self._callers = ConnectedCallers()

    async def run(self) -> None:
        """Open the session and serve its links. Raises ``ErlconnectError`` if it cannot open."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._open_and_serve(group)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None

    async def _open_and_serve(self, group: asyncio.TaskGroup) -> None:
        local = self._local_epmd()
        callers = CallerNames(
            # The port of a private one is another each time, and a caller name has to stay.
            epmd_port=0 if self._private_epmd else local.port,
            slot=self._slot.number,
            fixed=self._choices.caller_name,
        )
        discovery = self._discovery(group, callers)
        self._reporter.progress(f"looking for {self._choices.service}")
        approached = await discovery.first_that_answers()
        self._reporter.progress(f"fetching the cookie of {approached.target.node}")
        remote = await remote_cookie(
            self._offers, approached.target, ask=not self._choices.no_input, warn=self._warn
        )
        cookies = self._cookies(remote)
        epmd = LocalEpmd(port=local.port, addresses=local.addresses, warn=self._warn)
        listener = Listener()
        try:
            async with epmd:
                name = await self._register(epmd, approached, discovery, listener.port)
                target = AliasedTarget(
                    name,
                    approached,
                    discovery=discovery,
                    callers=callers,
                    cookies=cookies,
                    visible=self._choices.visible,
                    max_frame=self._choices.options.session.max_frame,
                    group=group,
                    report=self._report,
                )
                self._report(self._ready(target, epmd, listener, remote.source))
                group.create_task(discovery.follow(target.notice))
                await listener.serve(target.handle)
        finally:
            listener.close()

    def _local_epmd(self) -> EpmdEnvironment:
        if self._private_epmd:
            return EpmdEnvironment(port=_free_port())
        return EpmdEnvironment.read(self._environment)

    def _discovery(self, group: asyncio.TaskGroup, callers: CallerNames) -> Discovery:
        approach = Approach(
            self._offers,
            callers,
            group,
            node=self._choices.node,
            dist_port=self._choices.options.session.dist_port,
        )
        return Discovery(self._choices, self._offers, approach, self._warn)

    def _cookies(self, remote: RemoteCookie) -> Cookies | None:
        if remote.cookie is None:
            return None
        local = local_cookie(self._choices.local_cookie_file)
        return Cookies(local=local, remote=remote.cookie)

    async def _register(
        self, epmd: LocalEpmd, approached: Approached, discovery: Discovery, port: int
    ) -> str:
        """Register the alias; it avoids what is registered here and every other target's name."""
        wanted = self._choices.as_name or approached.target.node.name
        others = discovery.known_names - {str(approached.target.node)}
        clash = others.intersection(alias_forms(wanted))
        name = await epmd.register(f"{wanted}-local" if clash else wanted, port=port)
        if name != wanted:
            why = f"{min(clash)} is another target" if clash else _why_another(wanted)
            self._warn(f"{why}; the alias is {alias_forms(name)[0]}")
        return name

    def _ready(
        self, target: AliasedTarget, epmd: LocalEpmd, listener: Listener, cookie_source: str
    ) -> Ready:
        return Ready(
            backend=self._choices.backend,
            transport=target.approached.transport,
            cookie_source=cookie_source,
            epmd_port=epmd.port,
            epmd_embedded=epmd.embedded,
            aliases=[_entry(target.name, target.approached, listener.port)],
        )

    def _warn(self, message: str) -> None:
        self._report(Warned(message=message))

    def _report(self, event: Event | LinkEvent) -> None:
        self._reporter.report(event)
        if isinstance(event, LinkEvent):
            if warning := self._callers.notice(event):
                self._warn(warning)
            self._catalogue.link_event(event)


def _free_port() -> int:
    listener = Listener()
    listener.close()
    return listener.port


def _why_another(wanted: str) -> str:
    if "--" in wanted:
        return f"Livebook takes {wanted} for a part of {wanted.partition('--')[0]}"
    return f"the name {wanted} is taken"


def _entry(name: str, approached: Approached, local_port: int) -> AliasEntry:
    alias, short_alias, ipv6_alias = alias_forms(name)
    return AliasEntry(
        alias=alias,
        short_alias=short_alias,
        ipv6_alias=ipv6_alias,
        node=str(approached.target.node),
        address=approached.target.address,
        dist_port=approached.port,
        local_port=local_port,
        facts=approached.target.facts,
    )
