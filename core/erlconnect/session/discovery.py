"""From TARGET to the targets that a backend lists, and the first of them that answers.

``Discovery`` asks the backend, applies the session's settings to what it found and chooses by
``--node``. ``choose_name`` chooses among the names that one remote epmd has registered.
``render_node`` makes node names by template, e.g. ``app@{dashed_ip}.shop.pod.cluster.local``.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

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

# For a backend that has no timeout of its own.
_DISCOVER_SECONDS: Final = 30.0
_FIELD: Final = re.compile(r"\{([^{}]*)\}")

TargetKey: TypeAlias = tuple[str, str, int | None, int]


class Discovery:
    """Finds the targets of one TARGET, at a session's start and whenever one has gone.

    It is what a backend gets as its ``SessionApi``.
    """

    def __init__(
        self,
        config: SessionConfig,
        plugins: PluginResolver,
        connector: Connector,
        warn: Callable[[str], None],
    ) -> None:
        """Raise ``ErlconnectError`` where the backend cannot be created."""
        self._config = config
        self._plugins = plugins
        self._connector = connector
        self._warn = warn
        self._backend: Backend = plugins.backend()
        self._warnings: set[str] = set()
        self._warnings_before: set[str] = set()
        self.known_names: frozenset[str] = frozenset()
        """The node names of the latest discovery, as the backend knows them."""

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        """Open a transport for a backend (``SessionApi``)."""
        return self._plugins.transport(ref).open(target)

    def warn(self, message: str) -> None:
        """Show a backend's warning (``SessionApi``), unless the discovery before gave it, too."""
        # A backend is asked every few seconds: a lasting cause would fill the screen.
        if message not in self._warnings_before | self._warnings:
            self._warn(message)
        self._warnings.add(message)

    async def targets(self) -> Sequence[Target]:
        """Discover, and apply ``epmd-port``, ``node`` and ``--node`` to what was found.

        Raises ``NoNodeFoundError``, ``LookupFailedError`` or ``UsageError`` for a node template
        that fits no target.
        """
        self._warnings_before, self._warnings = self._warnings, set()
        query = Query(service=self._config.service)
        backend = self._config.backend.name
        with self._plugins.catalogue.attribute_errors(Kind.BACKEND, backend, "discover()"):
            found = await self._discover_in_time(query)
        if not found:
            raise NoNodeFoundError(
                f"{backend} found no node for {query.service}",
                remedy="Check the name, and whether the service runs.",
            )
        return choose_targets(self._applied(found, query), self._config.node)

    async def watch(self, on_change: Callable[[Sequence[Target]], None]) -> None:
        """Hand over all targets at each change that a backend watches; returns if it cannot watch.

        An error is a warning and ends the watch: the session goes on with what it has.
        """
        if not isinstance(self._backend, WatchesTargets):
            return
        query = Query(service=self._config.service)
        try:
            with self._plugins.catalogue.attribute_errors(
                Kind.BACKEND, self._config.backend.name, "watch()"
            ):
                async for found in self._backend.watch(query, self):
                    on_change(self._applied(found, query))
        except ErlconnectError as error:
            self._warn(f"targets are no longer watched for changes: {error.message}")

    async def connect_first(self) -> ConnectedTarget:
        """Discover, and connect to the first target that answers."""
        return await self.connect_first_of(await self.targets())

    async def connect_first_of(self, targets: Sequence[Target]) -> ConnectedTarget:
        """Connect to the first one that answers; a warning lists the others.

        Raises ``SeveralNodesError``, or one error for all of them where none answers.
        """
        failures: list[ErlconnectError] = []
        for target in targets:
            try:
                connected = await self._connector.connect(target)
            except SeveralNodesError:
                # The user has to choose: another target would be a guess.
                raise
            except ErlconnectError as error:
                failures.append(error)
                continue
            self._warn_of_others(targets, target, failures)
            self.warn_of_other_name(connected)
            return connected
        raise none_answered(targets, failures) from failures[0]

    def warn_of_other_name(self, connected: ConnectedTarget) -> None:
        """Warn if the name that the backend expected is not the node's own."""
        expected, real = connected.discovered.node, connected.target.node
        if expected.name and expected != real:
            self._warn(f"the node that was expected to be {expected} calls itself {real}")

    async def _discover_in_time(self, query: Query) -> Sequence[Target]:
        try:
            async with asyncio.timeout(_DISCOVER_SECONDS):
                return await self._backend.discover(query, self)
        except TimeoutError as error:
            raise LookupTimeoutError(
                f"{self._config.backend.name} was still looking for {query.service} after "
                f"{_DISCOVER_SECONDS:g} s",
                remedy="Try again; if it stays so, look at what the backend asks.",
            ) from error

    def _applied(self, found: Sequence[Target], query: Query) -> list[Target]:
        applied: list[Target] = []
        left_out: list[tuple[Target, UsageError]] = []
        for target in found:
            try:
                applied.append(self._with_settings(target, query))
            except UsageError as error:
                # A target without a field of the template must not keep the others from being used.
                left_out.append((target, error))
        if left_out and not applied:
            raise left_out[0][1]
        if left_out:
            listed = "; ".join(f"{_label(target)}: {error.message}" for target, error in left_out)
            self.warn(f"left out: {listed}")
        self.known_names = frozenset(str(target.node) for target in applied)
        return applied

    def _with_settings(self, target: Target, query: Query) -> Target:
        settings = self._config.settings
        node = render_node(settings.node, target, query) if settings.node else target.node
        return replace(target, node=node, epmd_port=settings.epmd_port or target.epmd_port)

    def _warn_of_others(
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


def target_key(target: Target) -> TargetKey:
    """Return what tells targets apart as a backend lists them."""
    return str(target.node), target.address, target.dist_port, target.epmd_port


def none_answered(
    targets: Sequence[Target], failures: Sequence[ErlconnectError]
) -> ErlconnectError:
    """Return one error for all failures; it keeps their class where they have the same one."""
    if len(failures) == 1:
        return failures[0]
    reasons = "; ".join(failure.message for failure in failures)
    message = f"none of {len(targets)} targets answered: {reasons}"
    kind = type(failures[0]) if len({type(one) for one in failures}) == 1 else UnreachableError
    return kind(message, remedy=failures[0].remedy)


def _label(target: Target) -> str:
    if target.node.name:
        return f"{target.node} ({target.address})"
    return f"{target.facts['id']} ({target.address})" if "id" in target.facts else target.address


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
    # A helper (a console's or a script's node) is used only where it is named.
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


def render_node(template: str, target: Target, query: Query) -> NodeName:
    """Return the name that ``template`` means for ``target``.

    A name part of ``{basename}`` stays empty where only the target's epmd knows it. Raises
    ``UsageError`` for a field that this target does not have and for what is no node name.
    """
    fields = _fields(target, query)
    name, _, host = template.partition("@")
    try:
        if name == "{basename}" and not fields["basename"]:
            # There is no node name without a name part; epmd or the probe tells it later.
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
