"""The aliases of one session: registered in the local epmd, served, known to each other's links.

``target_set.py`` adds and removes aliases: it knows which targets there are.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Self

from erlconnect.proxy.listener import Listener
from erlconnect.session.alias import Alias
from erlconnect.session.events import Ready
from erlconnect.session.names import alias_for, alias_forms

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from erlconnect.epmd.registration import LocalEpmd
    from erlconnect.hookspecs import LinkEvent
    from erlconnect.session.config import TargetContext
    from erlconnect.session.connector import ConnectedTarget
    from erlconnect.session.events import AliasStatus, Event


class AliasRegistry:
    """An asynchronous context manager; leaving it ends all links and what listens."""

    def __init__(self, epmd: LocalEpmd, report: Callable[[Event | LinkEvent], None]) -> None:
        self._epmd = epmd
        self._group = asyncio.TaskGroup()
        self._report = report
        self._aliases: list[Alias] = []
        self._names_used: dict[str, tuple[TargetContext, str]] = {}
        """Each name that ever was an alias here, and the node that it stood for last."""
        self._shared_names_warned: set[str] = set()

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
            # Serving closes no listener, and an alias may not have been served yet.
            for alias in self._aliases:
                alias.listener.close()

    async def add(
        self,
        context: TargetContext,
        connected: ConnectedTarget,
        *,
        find_again: Callable[[Alias], Awaitable[ConnectedTarget]],
        on_lost: Callable[[Alias, str], None] | None = None,
    ) -> Alias:
        """Register an alias for ``connected``; its links wait for ``serve``.

        ``find_again`` and ``on_lost`` as in ``Alias``. Raises ``EpmdError``.
        """
        # The port has to listen before epmd hands it out.
        listener = Listener()
        try:
            name = await self._register(context, connected, listener.port)
        except BaseException:
            listener.close()
            raise
        alias = Alias(
            name,
            connected,
            listener,
            context=context,
            peer_aliases=self._peer_aliases,
            find_again=find_again,
            on_lost=on_lost,
            report=self._report,
        )
        self._aliases.append(alias)
        return alias

    def serve(self) -> None:
        """Accept local nodes at all aliases, and report ``ready`` with the whole list."""
        self._warn_of_shared_names()
        for alias in self._aliases:
            alias.start(self._group)
        self._report(
            Ready(
                epmd_port=self._epmd.port,
                epmd_embedded=self._epmd.embedded,
                aliases=[alias.entry() for alias in self._aliases],
            )
        )

    def status(self) -> list[AliasStatus]:
        """Return what ``status`` says of each alias."""
        return [alias.status() for alias in self._aliases]

    async def remove(self, alias: Alias) -> None:
        """Unregister an alias and end its links."""
        self._aliases.remove(alias)
        # The name first: epmd must not hand out a port at which nobody listens.
        await self._epmd.unregister(alias.name)
        await alias.stop()

    async def _register(self, context: TargetContext, connected: ConnectedTarget, port: int) -> str:
        """Register a name that means no other node, here or there; the one it had, if free."""
        node = str(connected.target.node)
        wanted = context.config.as_name or connected.target.node.name
        # In a link, an alias that is also a real name would mean two nodes.
        others = self._real_names(context) - {node}
        clash = others.intersection(alias_forms(wanted))
        # The first of a TARGET is told why it has another name; the others are numbered.
        numbered = wanted in self._names_used and self._names_used[wanted][0] is context
        name = await self._epmd.register(
            self._name_before(context, node) or wanted,
            port=port,
            suffix="local" if clash and not numbered else "",
            usable=lambda name: not others.intersection(alias_forms(name)),
        )
        if name != wanted and not numbered:
            why = f"{min(clash)} is another target" if clash else _why_another_name(wanted)
            context.warn(f"{why}; the alias is {alias_forms(name)[0]}")
        self._names_used[name] = (context, node)
        return name

    def _name_before(self, context: TargetContext, node: str) -> str | None:
        # A local node that connects again finds the same node under the same name.
        taken = {alias.name for alias in self._aliases}
        names = [name for name, used in self._names_used.items() if used == (context, node)]
        return next((name for name in names if name not in taken), None)

    def _of(self, context: TargetContext) -> list[Alias]:
        return [alias for alias in self._aliases if alias.context is context]

    def _real_names(self, context: TargetContext) -> set[str]:
        return {*context.discovery.known_names, *(alias.node for alias in self._of(context))}

    def _peer_aliases(self, alias: Alias, local_node: str, node: str) -> list[tuple[str, str]]:
        others = [one for one in self._of(alias.context) if one is not alias]
        return peer_aliases([(one.name, one.node) for one in others], local_node, node)

    def _warn_of_shared_names(self) -> None:
        """Warn of real names that mean another node in each link; once for the same aliases."""
        sharing: defaultdict[tuple[TargetContext, str], list[str]] = defaultdict(list)
        for alias in self._aliases:
            sharing[alias.context, alias.node].append(alias.long_name)
        for (context, node), aliases in sharing.items():
            message = (
                f"{node} is the real name of {', '.join(aliases)}: in the links of each it means "
                "that one, elsewhere it stays as it is"
            )
            if len(aliases) > 1 and message not in self._shared_names_warned:
                self._shared_names_warned.add(message)
                context.warn(message)


def peer_aliases(
    others: Sequence[tuple[str, str]], local_node: str, node: str
) -> list[tuple[str, str]]:
    """Return alias and real name of each of ``others`` that a link between these two may know.

    ``others`` are name parts of aliases with the real names. A real name that several share, or
    that the link's own ``node`` has, stands for none of them.
    """
    # A real name that means two nodes cannot be rewritten to one alias.
    times = Counter([node, *(real for _, real in others)])
    pairs = [(alias_for(name, local_node), real) for name, real in others]
    return [(alias, real) for alias, real in pairs if times[real] == 1 and alias != local_node]


def _why_another_name(wanted: str) -> str:
    if "--" in wanted:
        return f"Livebook takes {wanted} for a part of {wanted.partition('--')[0]}"
    return f"the name {wanted} is taken"
