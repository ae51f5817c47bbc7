"""One session: everything stands before an alias appears, and goes with it.

Order: for each TARGET discovery, a warm transport and a knock, the cookies; then the local epmd,
the listeners, the aliases, ``ready``. The other way round at the end. If one TARGET cannot be
opened, none is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from erlconnect.epmd.environment import EpmdEnvironment
from erlconnect.epmd.registration import LocalEpmd
from erlconnect.hookspecs import LinkEvent
from erlconnect.session.aliases import Aliases
from erlconnect.session.callers import ConnectedCallers
from erlconnect.session.events import Warned
from erlconnect.session.first_target import FirstTarget
from erlconnect.session.instances import Instances
from erlconnect.session.local_names import CallerNames
from erlconnect.session.service import Service
from erlconnect.session.slots import session_slot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.choices import Choices
    from erlconnect.session.events import Event, Reporter


class Session:
    """``run`` goes on until it is cancelled; then nothing of it is left."""

    def __init__(
        self,
        choices: Sequence[Choices],
        catalogue: Catalogue,
        reporter: Reporter,
        environment: Mapping[str, str],
    ) -> None:
        """``choices`` are one for each TARGET."""
        self._choices = choices
        self._catalogue = catalogue
        self._reporter = reporter
        self._environment = environment
        self._callers = ConnectedCallers()

    async def run(self) -> None:
        """Open the session and serve its links. Raises ``ErlconnectError`` if it cannot open."""
        with session_slot(self._environment) as slot:
            try:
                async with asyncio.TaskGroup() as group:
                    await self._open_and_serve(group, slot)
            except BaseExceptionGroup as errors:
                raise _first(errors) from None

    async def _open_and_serve(self, group: asyncio.TaskGroup, slot: int) -> None:
        local = EpmdEnvironment.read(self._environment)
        members = [self._members(choices, group, local, slot) for choices in self._choices]
        for one in members:
            await one.find()
        epmd = LocalEpmd(port=local.port, addresses=local.addresses, warn=self._warn)
        async with epmd, Aliases(epmd, self._report) as aliases:
            for one in members:
                await one.stand(aliases)
            aliases.serve()
            async with asyncio.TaskGroup() as following:
                for one in members:
                    following.create_task(one.follow(aliases))
            await asyncio.Event().wait()

    def _members(
        self, choices: Choices, group: asyncio.TaskGroup, local: EpmdEnvironment, slot: int
    ) -> FirstTarget | Instances:
        service = Service(
            choices,
            self._catalogue,
            self._environment,
            callers=CallerNames(epmd_port=local.port, slot=slot, fixed=choices.caller_name),
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


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Give the one error that matters: a group of one is what every failure here makes."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
