"""The aliases of one session: registered in the local epmd, served, known to each other's links.

Refuses to know how targets are found and when they are gone.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from erlconnect.proxy.listener import MAX_CONNECTIONS, Listener
from erlconnect.session.alias import Alias, alias_entry
from erlconnect.session.events import Ready
from erlconnect.session.names import alias_for, alias_forms

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from erlconnect.epmd.registration import LocalEpmd
    from erlconnect.hookspecs import LinkEvent
    from erlconnect.session.config import DiscoveredTarget, TargetContext
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.events import AliasStatus, Event


@dataclass(slots=True, kw_only=True)
class _RunningAlias:
    target: Alias
    listener: Listener
    serving: asyncio.Task[None] | None = None


class AliasRegistry:
    """An asynchronous context manager; leaving it ends all links and what listens."""

    def __init__(self, epmd: LocalEpmd, report: Callable[[Event | LinkEvent], None]) -> None:
        self._epmd = epmd
        self._group = asyncio.TaskGroup()
        self._report = report
        self._standing: list[_RunningAlias] = []
        self._given: dict[str, tuple[TargetContext, str]] = {}
        """Each name that ever was an alias here, and the node that it stood for last."""
        self._said: set[str] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._group.__aexit__(kind, error, trace)
        finally:
            for standing in self._standing:
                standing.listener.close()

    async def add(
        self,
        service: TargetContext,
        found: DiscoveredTarget,
        *,
        find_again: Callable[[], Awaitable[ConnectedTarget]],
        tell_lost: Callable[[str], None] | None = None,
    ) -> Alias:
        """Register an alias for ``found``; its links wait for ``serve``. Raises ``EpmdError``."""
        listener = Listener()
        try:
            name = await self._register(service, found, listener.port)
        except BaseException:
            listener.close()
            raise
        target = Alias(
            name,
            found,
            service=service,
            neighbours=self._neighbours,
            find_again=find_again,
            tell_lost=tell_lost,
            report=self._report,
        )
        listener.on_refusal = lambda: target.warn(
            f"{target.alias} has {MAX_CONNECTIONS} local connections, as many as one alias takes; "
            "further ones are closed at once: see which program keeps connecting"
        )
        self._standing.append(_RunningAlias(target=target, listener=listener))
        return target

    def serve(self) -> None:
        """Let local nodes in, and say which aliases there are."""
        self._tell_shared_names()
        for standing in self._standing:
            if standing.serving is None:
                serve = standing.listener.serve(standing.target.handle)
                standing.serving = self._group.create_task(serve)
        self._report(
            Ready(
                epmd_port=self._epmd.port,
                epmd_embedded=self._epmd.embedded,
                aliases=[alias_entry(one.target, one.listener.port) for one in self._standing],
            )
        )

    def status(self) -> list[AliasStatus]:
        """Return what is to be told of each alias now."""
        return [one.target.status(one.listener.port) for one in self._standing]

    async def remove(self, target: Alias) -> None:
        """Take an alias back, with its links."""
        standing = next(one for one in self._standing if one.target is target)
        self._standing.remove(standing)
        await self._epmd.unregister(target.name)
        if standing.serving:
            standing.serving.cancel()
            await asyncio.wait([standing.serving])
        standing.listener.close()
        target.approached.close()

    async def _register(self, service: TargetContext, found: DiscoveredTarget, port: int) -> str:
        """Choose a name that means no other node, here or there; its own of before, if free."""
        node = str(found.approached.target.node)
        wanted = service.choices.as_name or found.approached.target.node.name
        others = self._real_names(service) - {node}
        clash = others.intersection(alias_forms(wanted))
        # The first of a service is told why it has another name; the others are numbered.
        numbered = wanted in self._given and self._given[wanted][0] is service
        name = await self._epmd.register(
            self._had_before(service, node) or wanted,
            port=port,
            suffix="local" if clash and not numbered else "",
            usable=lambda name: not others.intersection(alias_forms(name)),
        )
        if name != wanted and not numbered:
            why = f"{min(clash)} is another target" if clash else _why_another(wanted)
            service.warn(f"{why}; the alias is {alias_forms(name)[0]}")
        self._given[name] = (service, node)
        return name

    def _had_before(self, service: TargetContext, node: str) -> str | None:
        taken = {one.target.name for one in self._standing}
        given = [name for name, was in self._given.items() if was == (service, node)]
        return next((name for name in given if name not in taken), None)

    def _of(self, service: TargetContext) -> list[Alias]:
        return [one.target for one in self._standing if one.target.service is service]

    def _real_names(self, service: TargetContext) -> set[str]:
        return {*service.discovery.known_names, *(one.node for one in self._of(service))}

    def _neighbours(self, target: Alias, local_node: str, node: str) -> list[tuple[str, str]]:
        others = [one for one in self._of(target.service) if one is not target]
        return peer_aliases([(one.name, one.node) for one in others], local_node, node)

    def _tell_shared_names(self) -> None:
        """Say which real names mean another node in each link; once for the same aliases."""
        sharing: defaultdict[tuple[TargetContext, str], list[str]] = defaultdict(list)
        for one in self._standing:
            sharing[one.target.service, one.target.node].append(one.target.alias)
        for (service, node), aliases in sharing.items():
            message = (
                f"{node} is the real name of {', '.join(aliases)}: in the links of each it means "
                "that one, elsewhere it stays as it is"
            )
            if len(aliases) > 1 and message not in self._said:
                self._said.add(message)
                service.warn(message)


def _why_another(wanted: str) -> str:
    if "--" in wanted:
        return f"Livebook takes {wanted} for a part of {wanted.partition('--')[0]}"
    return f"the name {wanted} is taken"


def peer_aliases(
    others: Sequence[tuple[str, str]], local_node: str, node: str
) -> list[tuple[str, str]]:
    """Return alias and real name of each of ``others`` that a link between these two may know.

    ``others`` are name parts of aliases with the real names. A real name that several share, or
    that the link's own ``node`` has, stands for none of them.
    """
    times = Counter([node, *(real for _, real in others)])
    pairs = [(alias_for(name, local_node), real) for name, real in others]
    return [(alias, real) for alias, real in pairs if times[real] == 1 and alias != local_node]
