"""From TARGET to the node that is used: discover, apply the session's settings, knock.

Which of several names: of the targets, and of those that one remote epmd knows.

Node names by template, e.g. ``app@{dashed_ip}.shop.pod.cluster.local``.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from erlconnect.contract import Query, WatchesTargets
from erlconnect.distribution.names import NodeName, is_helper
from erlconnect.errors import (
    ErlconnectError,
    LookupTimeoutError,
    NoNodeFoundError,
    SeveralNodesError,
    UnreachableError,
    UsageError,
)
from erlconnect.plugin_manager.validation import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.contract import Backend, Dialer, Ref, Target
    from erlconnect.session.config import SessionConfig
    from erlconnect.session.connector import ConnectedTarget, Connector
    from erlconnect.session.plugin_resolver import PluginResolver


def choose_targets(targets: Sequence[Target], wanted: str | None) -> Sequence[Target]:
    """Return the targets that ``--node`` means: by node name, host or address; else all of them.

    Where none fits, the name may be one of a remote epmd, so that all targets stay.
    """
    fitting = [target for target in targets if wanted in _names_of(target)]
    return fitting or targets


def _names_of(target: Target) -> set[str]:
    return {str(target.node), target.node.host, target.address}


def choose_name(
    registered: Mapping[str, int], *, wanted: str | None, expected: str, where: str
) -> str:
    """Return the name to use out of those that the epmd at ``where`` has registered.

    ``wanted`` is what ``--node`` says, ``expected`` the name part that the backend expects, both
    may be empty. Raises ``NoNodeFoundError`` or ``SeveralNodesError``.
    """
    names = sorted(name for name in registered if not is_helper(name))
    part = (wanted or "").partition("@")[0]
    if part in registered or (not part and expected in registered):
        return part or expected
    if not names:
        raise NoNodeFoundError(
            f"the epmd at {where} knows no node ({_listed(registered)})",
            remedy="Start the node with a name, or name its port with `-o dist-port=`.",
        )
    if part or len(names) > 1:
        raise SeveralNodesError(
            f"the epmd at {where} knows {_listed(registered)}; {_why(part)}",
            remedy=f"Name one with `--node`, e.g. `--node {names[0]}`.",
        )
    return names[0]


def _why(part: str) -> str:
    return f"{part!r} is not one of them" if part else "which one is meant?"


def _listed(names: Mapping[str, int]) -> str:
    return ", ".join(sorted(names)) or "no names at all"


_FIELD: Final = re.compile(r"\{([^{}]*)\}")


def render_node(template: str, target: Target, query: Query) -> NodeName:
    """Return the name that ``template`` means for ``target``.

    A name part of ``{basename}`` stays empty where only the target's epmd knows it. Raises
    ``UsageError`` for a field that this target does not have and for what is no node name.
    """
    fields = _fields(target, query)
    name, _, host = template.partition("@")
    try:
        if name == "{basename}" and not fields["basename"]:
            parsed = NodeName.parse(f"unknown@{_fill(host, fields)}")
            return NodeName(name="", host=parsed.host)
        return NodeName.parse(_fill(template, fields))
    except ValueError as error:
        raise UsageError(
            f"-o node={template}: {error}",
            remedy=f"Write NAME@HOST; fields here: {_field_list(fields)}.",
        ) from None


def _fields(target: Target, query: Query) -> dict[str, str]:
    address = target.address
    return {
        **target.facts,
        "ip": address,
        "dashed_ip": address.replace(".", "-").replace(":", "-"),
        "service": target.facts.get("service", query.service),
        "basename": target.node.name,
    }


def _fill(template: str, fields: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in fields:
            raise ValueError(f"this target has no field {{{match[1]}}}")
        return fields[match[1]]

    return _FIELD.sub(value, template)


def _field_list(fields: Mapping[str, str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(fields))


_DISCOVER_SECONDS: Final = 30.0


class Discovery:
    """Finds the target of a session, at its start and again whenever it has gone."""

    def __init__(
        self,
        choices: SessionConfig,
        offers: PluginResolver,
        approach: Connector,
        warn: Callable[[str], None],
    ) -> None:
        self._choices = choices
        self._offers = offers
        self._approach = approach
        self._warn = warn
        self._backend: Backend = offers.backend()
        self._noticed: set[str] = set()
        self._noticed_before: set[str] = set()
        self.known_names: frozenset[str] = frozenset()
        """The node names of the latest discovery, as the backend knows them."""

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        """Open a transport for a backend (``SessionApi``)."""
        return self._offers.transport(ref).open(target)

    def warn(self, message: str) -> None:
        """Tell the user what a backend noticed (``SessionApi``); the same once in a row."""
        if message not in self._noticed_before | self._noticed:
            self._warn(message)
        self._noticed.add(message)

    async def targets(self) -> Sequence[Target]:
        """Discover, and apply ``epmd-port``, ``node`` and ``--node`` to what was found."""
        self._noticed_before, self._noticed = self._noticed, set()
        query = Query(service=self._choices.service)
        backend = self._choices.backend
        with self._offers.catalogue.attribute_errors(Kind.BACKEND, backend, "discover()"):
            found = await self._discover_in_time(query)
        if not found:
            raise NoNodeFoundError(
                f"{backend} found no node for {query.service}",
                remedy="Check the name, and whether the service runs.",
            )
        return choose_targets(self._applied(found, query), self._choices.node)

    async def follow(self, notice: Callable[[Sequence[Target]], None]) -> None:
        """Hand over every change that a backend sees by itself; ends at once with any other.

        What goes wrong is a warning: the session goes on with what it has.
        """
        if not isinstance(self._backend, WatchesTargets):
            return
        query = Query(service=self._choices.service)
        try:
            with self._offers.catalogue.attribute_errors(
                Kind.BACKEND, self._choices.backend, "watch()"
            ):
                async for found in self._backend.watch(query, self):
                    notice(self._applied(found, query))
        except ErlconnectError as error:
            self._warn(f"changes are not seen by themselves any more: {error.message}")

    def _applied(self, found: Sequence[Target], query: Query) -> list[Target]:
        applied: list[Target] = []
        left_out: list[tuple[Target, UsageError]] = []
        for target in found:
            try:
                applied.append(self._with_settings(target, query))
            except UsageError as error:
                left_out.append((target, error))
        if left_out and not applied:
            raise left_out[0][1]
        if left_out:
            told = "; ".join(f"{_label(target)}: {error.message}" for target, error in left_out)
            self.warn(f"left out: {told}")
        self.known_names = frozenset(str(target.node) for target in applied)
        return applied

    async def _discover_in_time(self, query: Query) -> Sequence[Target]:
        try:
            async with asyncio.timeout(_DISCOVER_SECONDS):
                return await self._backend.discover(query, self)
        except TimeoutError as error:
            raise LookupTimeoutError(
                f"{self._choices.backend} was still looking for {query.service} after "
                f"{_DISCOVER_SECONDS:g} s",
                remedy="Try again; if it stays so, look at what the backend asks.",
            ) from error

    async def first_that_answers(self) -> tuple[Target, ConnectedTarget]:
        """Discover, and give the first target that answers a knock."""
        return await self.first_of(await self.targets())

    async def first_of(self, targets: Sequence[Target]) -> tuple[Target, ConnectedTarget]:
        """Return the first one that answers a knock; the others are told in a warning."""
        failures: list[ErlconnectError] = []
        for target in targets:
            try:
                approached = await self._approach.approach(target)
            except SeveralNodesError:
                raise
            except ErlconnectError as error:
                failures.append(error)
                continue
            self._tell(targets, target, failures)
            self.compare(target, approached)
            return target, approached
        raise none_answered(targets, failures) from failures[0]

    def _with_settings(self, target: Target, query: Query) -> Target:
        session = self._choices.options.session
        node = render_node(session.node, target, query) if session.node else target.node
        return replace(target, node=node, epmd_port=session.epmd_port or target.epmd_port)

    def _tell(
        self, targets: Sequence[Target], chosen: Target, failures: Sequence[ErlconnectError]
    ) -> None:
        for failure in failures:
            self._warn(f"passed over: {failure.message}")
        others = [_label(target) for target in targets if target is not chosen]
        if others:
            self._warn(
                f"{len(targets)} targets; {_label(chosen)} was the first that answered. "
                f"`--node` chooses another, `--all` takes all: {', '.join(others)}"
            )

    def compare(self, target: Target, approached: ConnectedTarget) -> None:
        """Say so if the name that was expected is not the node's own."""
        expected, real = target.node, approached.target.node
        if expected.name and expected != real:
            self._warn(f"the node that was expected to be {expected} calls itself {real}")


def _label(target: Target) -> str:
    if target.node.name:
        return f"{target.node} ({target.address})"
    return f"{target.facts['id']} ({target.address})" if "id" in target.facts else target.address


def none_answered(
    targets: Sequence[Target], failures: Sequence[ErlconnectError]
) -> ErlconnectError:
    """Return the one error that the failures of all targets make."""
    if len(failures) == 1:
        return failures[0]
    told = "; ".join(failure.message for failure in failures)
    message = f"none of {len(targets)} targets answered: {told}"
    kind = type(failures[0]) if len({type(one) for one in failures}) == 1 else UnreachableError
    return kind(message, remedy=failures[0].remedy)
