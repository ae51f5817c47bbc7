"""One session: from the configuration of each TARGET to the end of the last link.

For each TARGET discovery, an open transport, a probe and the cookies; then the local epmd, the
listeners, the aliases, ``ready``. The other way round at the end. If one TARGET cannot be opened,
none is.
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


class Session:
    """``run`` goes on until it is cancelled; then nothing of it is left."""

    def __init__(
        self,
        configs: Sequence[SessionConfig],
        catalogue: Catalogue,
        reporter: Reporter,
        environment: Mapping[str, str],
        lock: InstanceLock,
        *,
        private_epmd: bool = False,
    ) -> None:
        """``configs`` are one for each TARGET; ``private_epmd`` serves one for this session."""
        self._configs = configs
        self._catalogue = catalogue
        self._reporter = reporter
        self._environment = environment
        self._lock = lock
        self._private_epmd = private_epmd
        self._duplicate_check = DuplicateCallerCheck()
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
        """Return what ``status`` says of the session; it has no alias before it is ready."""
        return SessionStatus(
            pid=os.getpid(),
            since=self._since,
            targets=[config.named for config in self._configs],
            epmd_port=self._epmd.port if self._epmd else 0,
            epmd_embedded=bool(self._epmd and self._epmd.embedded),
            aliases=self._aliases.status() if self._aliases else [],
        )

    async def _open_and_serve(self, group: asyncio.TaskGroup) -> None:
        # From the beginning: `status` also shows a session that is still looking for its targets.
        async with StatusSocket(self._lock.folder, self.status):
            await self._open(group)

    async def _open(self, group: asyncio.TaskGroup) -> None:
        local = self._local_epmd()
        target_sets = [self._target_set(config, group, local) for config in self._configs]
        # All of them before anything is registered: if one cannot be opened, no alias appears.
        for one in target_sets:
            await one.discover()
        epmd = LocalEpmd(port=local.port, addresses=local.addresses, warn=self._warn)
        async with epmd, AliasRegistry(epmd, self._report) as aliases:
            self._epmd, self._aliases = epmd, aliases
            for one in target_sets:
                await one.open(aliases)
            aliases.serve()
            # Exclude the objects of the start from garbage collection: a full collection would
            # pause the links.
            gc.freeze()
            async with asyncio.TaskGroup() as watching:
                for one in target_sets:
                    watching.create_task(one.watch(aliases))
            # No backend watches its targets any more; the links go on.
            await asyncio.Event().wait()

    def _local_epmd(self) -> EpmdEnvironment:
        if self._private_epmd:
            return EpmdEnvironment(port=_free_port())
        return EpmdEnvironment.read(self._environment)

    def _target_set(
        self, config: SessionConfig, group: asyncio.TaskGroup, local: EpmdEnvironment
    ) -> SingleTarget | TargetSet:
        context = TargetContext(
            config,
            self._catalogue,
            self._environment,
            callers=CallerNames(
                # A private one has another port each time, and a caller name has to stay.
                epmd_port=0 if self._private_epmd else local.port,
                slot=self._lock.number,
                fixed=config.caller_name,
            ),
            group=group,
            warn=self._warn,
            progress=self._reporter.progress,
        )
        return TargetSet(context) if config.all_targets else SingleTarget(context)

    def _warn(self, message: str) -> None:
        self._report(Warned(message=message))

    def _report(self, event: Event | LinkEvent) -> None:
        self._reporter.report(event)
        if isinstance(event, LinkEvent):
            if warning := self._duplicate_check.warning(event):
                self._warn(warning)
            self._catalogue.link_event(event)


class DuplicateCallerCheck:
    """Notices when a link takes the place of another local node's.

    ``--caller-name`` gives all local nodes one name, and a remote node keeps one connection for a
    name: it ends the older one without a reason.
    """

    def __init__(self) -> None:
        self._local_nodes: dict[tuple[str, str], str] = {}

    def warning(self, event: LinkEvent) -> str:
        """Return the warning that belongs to ``event``, mostly an empty one."""
        connection = (event.node, event.caller_name)
        before = self._local_nodes.get(connection, event.local_node)
        if event.kind == "link-down":
            # The link that was replaced goes down after the new one is up.
            if before == event.local_node:
                self._local_nodes.pop(connection, None)
            return ""
        self._local_nodes[connection] = event.local_node
        if before == event.local_node:
            return ""
        return (
            f"{event.local_node} takes the place of {before}: both are {event.caller_name} to "
            f"{event.node}, which keeps one connection for a name. Without --caller-name each "
            "local node has a name of its own."
        )


def _free_port() -> int:
    listener = Listener()
    listener.close()
    return listener.port
