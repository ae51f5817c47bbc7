"""One session: everything stands before an alias appears, and goes with it.

Order: for each TARGET discovery, a warm transport and a knock, the cookies; then the local epmd,
the listeners, the aliases, ``ready``. The other way round at the end. If one TARGET cannot be
opened, none is.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import TYPE_CHECKING

from erlconnect.epmd.environment import EpmdEnvironment
from erlconnect.epmd.registration import LocalEpmd
from erlconnect.hookspecs import LinkEvent
from erlconnect.proxy.listener import Listener
from erlconnect.session.aliases import Aliases
from erlconnect.session.callers import ConnectedCallers
from erlconnect.session.events import Warned
from erlconnect.session.first_target import FirstTarget
from erlconnect.session.groups import first_error
from erlconnect.session.instances import Instances
from erlconnect.session.local_names import CallerNames
from erlconnect.session.service import Service
from erlconnect.session.status import SessionStatus
from erlconnect.session.status_socket import StatusSocket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.choices import Choices
    from erlconnect.session.events import Event, Reporter
    from erlconnect.session.slots import Slot


class Session:
    """``run`` goes on until it is cancelled; then nothing of it is left."""

    def __init__(
        self,
        choices: Sequence[Choices],
        catalogue: Catalogue,
        reporter: Reporter,
        environment: Mapping[str, str],
        slot: Slot,
        *,
        private_epmd: bool = False,
    ) -> None:
        """``choices`` are one for each TARGET; ``private_epmd`` serves one for this session."""
        self._choices = choices
        self._catalogue = catalogue
        self._reporter = reporter
        self._environment = environment
        self._slot = slot
        self._private_epmd = private_epmd
        self._callers = ConnectedCallers()
        self._since = time.time()
        self._epmd: LocalEpmd | None = None
        self._aliases: Aliases | None = None

    async def run(self) -> None:
        """Open the session and serve its links. Raises ``ErlconnectError`` if it cannot open."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._open_and_serve(group)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None

    def status(self) -> SessionStatus:
        """Give what is to be told of the session now; it has no alias before it is ready."""
        return SessionStatus(
            pid=os.getpid(),
            since=self._since,
            targets=[one.named for one in self._choices],
            epmd_port=self._epmd.port if self._epmd else 0,
            epmd_embedded=bool(self._epmd and self._epmd.embedded),
            aliases=self._aliases.status() if self._aliases else [],
        )

    async def _open_and_serve(self, group: asyncio.TaskGroup) -> None:
        async with StatusSocket(self._slot.folder, self.status):
            await self._open(group)

    async def _open(self, group: asyncio.TaskGroup) -> None:
        local = self._local_epmd()
        members = [self._members(choices, group, local) for choices in self._choices]
        for one in members:
            await one.find()
        epmd = LocalEpmd(port=local.port, addresses=local.addresses, warn=self._warn)
        async with epmd, Aliases(epmd, self._report) as aliases:
            self._epmd, self._aliases = epmd, aliases
            for one in members:
                await one.stand(aliases)
            aliases.serve()
            # What is there by now stays: a look through all of it would hold up the links.
            gc.freeze()
            async with asyncio.TaskGroup() as following:
                for one in members:
                    following.create_task(one.follow(aliases))
            await asyncio.Event().wait()

    def _local_epmd(self) -> EpmdEnvironment:
        if self._private_epmd:
            return EpmdEnvironment(port=_free_port())
        return EpmdEnvironment.read(self._environment)

    def _members(
        self, choices: Choices, group: asyncio.TaskGroup, local: EpmdEnvironment
    ) -> FirstTarget | Instances:
        service = Service(
            choices,
            self._catalogue,
            self._environment,
            callers=CallerNames(
                # A private one has another port each time, and a caller name has to stay.
                epmd_port=0 if self._private_epmd else local.port,
                slot=self._slot.number,
                fixed=choices.caller_name,
            ),
            group=group,
            warn=self._warn,
            progress=self._reporter.progress,
        )
        return Instances(service) if choices.all_targets else FirstTarget(service)

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
