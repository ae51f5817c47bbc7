"""One session: everything stands before an alias appears, and goes with it.

Order: for each TARGET discovery, a warm transport and a knock, the cookies; then the local epmd,
the listeners, the aliases, ``ready``. The other way round at the end. If one TARGET cannot be
opened, none is.

Which local nodes are connected under which caller names.

``--caller-name`` gives all of them one name, and a node keeps one connection per name: it ends the
older one without a word.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import TYPE_CHECKING

from erlconnect.epmd.local_epmd import EpmdEnvironment
from erlconnect.epmd.registration import LocalEpmd
from erlconnect.hookspecs import LinkEvent
from erlconnect.proxy.listener import Listener
from erlconnect.session.alias_registry import AliasRegistry
from erlconnect.session.config import TargetContext
from erlconnect.session.connector import first_error
from erlconnect.session.events import SessionStatus, Warned
from erlconnect.session.names import CallerNames
from erlconnect.session.status_socket import StatusSocket
from erlconnect.session.target_set import SingleTarget, TargetSet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.events import Event, Reporter
    from erlconnect.session.instance_lock import InstanceLock


class ConnectedCallers:
    """Told of every link, it notices when one takes the place of another."""

    def __init__(self) -> None:
        self._local_nodes: dict[tuple[str, str], str] = {}

    def notice(self, event: LinkEvent) -> str:
        """Return what to warn of, mostly nothing."""
        place = (event.node, event.caller_name)
        before = self._local_nodes.get(place, event.local_node)
        if event.kind == "link-down":
            if before == event.local_node:
                self._local_nodes.pop(place, None)
            return ""
        self._local_nodes[place] = event.local_node
        if before == event.local_node:
            return ""
        return (
            f"{event.local_node} takes the place of {before}: both are {event.caller_name} to "
            f"{event.node}, which keeps one connection for a name. Without --caller-name each "
            "local node has a name of its own."
        )


class Session:
    """``run`` goes on until it is cancelled; then nothing of it is left."""

    def __init__(
        self,
        choices: Sequence[SessionConfig],
        catalogue: Catalogue,
        reporter: Reporter,
        environment: Mapping[str, str],
        slot: InstanceLock,
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
        self._aliases: AliasRegistry | None = None

    async def run(self) -> None:
        """Open the session and serve its links. Raises ``ErlconnectError`` if it cannot open."""
        try:
            async with asyncio.TaskGroup() as group:
                await self._open_and_serve(group)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None

    def status(self) -> SessionStatus:
        """Return what is to be told of the session now; it has no alias before it is ready."""
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
        async with epmd, AliasRegistry(epmd, self._report) as aliases:
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
        self, choices: SessionConfig, group: asyncio.TaskGroup, local: EpmdEnvironment
    ) -> SingleTarget | TargetSet:
        service = TargetContext(
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
        return TargetSet(service) if choices.all_targets else SingleTarget(service)

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
