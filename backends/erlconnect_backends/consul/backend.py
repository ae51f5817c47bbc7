"""Backend ``consul``: which instances of a service are targets, and why there are none.

``ConsulBackend`` asks by ``agent.ConsulClient`` and makes targets with ``instances``. Where nothing
usable was found, ``not_found_diagnosis`` looks around the service. Consul gives an empty list to a
token without rights, as if there were nothing. What it shows of the rest of its catalogue tells the
two apart in most cases: every cluster has the service ``consul``.
"""

from __future__ import annotations

import asyncio
import difflib
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupTimeoutError,
    NameNotFoundError,
    NoNodeFoundError,
    Ref,
    RefusedError,
    SuggestedProfile,
    UsageError,
)
from erlconnect_backends.consul.access import access_of
from erlconnect_backends.consul.agent import SIDECAR, ConsulClient
from erlconnect_backends.consul.errors import printable, read_rule
from erlconnect_backends.consul.instances import Instance, target_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from erlconnect.api import Query, SessionApi, Target
    from erlconnect_backends.consul.plugin import ConsulSettings

_SECONDS: Final = 15.0  # of one discovery, all its requests together
_WATCH_WAIT_SECONDS: Final = 60
_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 30.0
_MAX_LISTED: Final = 5
_NODE_RIGHT: Final = 'node_prefix "" { policy = "read" }'


class ConsulBackend:
    """Finds the instances of a service that pass their checks."""

    def __init__(self, settings: ConsulSettings) -> None:
        self._settings = settings

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Return a target for each instance: with ``near`` in Consul's order, else by node and id.

        Raises ``NameNotFoundError`` and ``NoNodeFoundError`` where there is no usable instance,
        ``RefusedError`` where the token may not see any, ``LookupFailedError`` and
        ``LookupTimeoutError`` where the agent could not answer. Cancelled, it leaves nothing
        behind.
        """
        service = _checked(query.service)
        client = await self._client()
        try:
            async with asyncio.timeout(_SECONDS):
                _, instances = await self._instances(client, service)
                if instances:
                    return self._targets(
                        instances, session, in_mesh=await client.has_sidecars(service)
                    )
                raise await not_found_diagnosis(
                    client,
                    service,
                    tag=self._settings.tag,
                    filter_expression=self._settings.filter,
                )
        except TimeoutError as error:
            raise LookupTimeoutError(
                f"Consul at {client.access.address} took longer than {_SECONDS:g} s to answer for"
                f" {service}",
                remedy="Try again, or ask another agent with -o address=.",
            ) from error

    async def watch(self, query: Query, session: SessionApi) -> AsyncIterator[Sequence[Target]]:
        """Yield the targets at first and whenever they change, by blocking queries.

        A failed lookup, and an answer without a usable instance, yield nothing: Consul is asked
        again after a pause. Cancelled or closed, it leaves nothing behind.
        """
        service = _checked(query.service)
        known: Sequence[Target] = ()
        index, pause = 0, _PAUSE_SECONDS
        while True:
            try:
                client = await self._client()
                newer, instances = await self._instances(client, service, index=index)
                found = known
                if instances:
                    in_mesh = await client.has_sidecars(service)
                    found = self._targets(instances, session, in_mesh=in_mesh)
            except ErlconnectError:
                await asyncio.sleep(pause)
                # With index 0 Consul answers at once (its API documentation, blocking queries).
                index, pause = 0, min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            # An index that falls is another cluster's, or a restarted one's: begin anew, as
            # Consul's documentation of blocking queries demands.
            index, pause = (newer if newer >= index else 0), _PAUSE_SECONDS
            if found != known:
                known = found
                yield found
            # Where the index changes all the time, the agent must not get requests without a pause.
            await asyncio.sleep(_PAUSE_SECONDS)

    async def rights(self, query: Query, session: SessionApi) -> str:
        """Return the ACL policy for a lookup and, with ``cookie-key``, for the cookie."""
        del session  # nothing to ask, nothing to warn of
        key = self._settings.cookie_key.lstrip("/")
        rules = [read_rule("service", _checked(query.service)), read_rule("node_prefix", "")]
        return "\n".join([*rules, *([read_rule("key", key)] if key else [])])

    async def services(self, session: SessionApi) -> Sequence[str]:
        """Return the services that the token may see, without the sidecars among them."""
        del session  # nothing to warn of
        names = await (await self._client()).services()
        return sorted(
            name
            for name in names
            if not (name.endswith(SIDECAR) and name.removesuffix(SIDECAR) in names)
        )

    def suggested_profiles(self, environment: Mapping[str, str]) -> Sequence[SuggestedProfile]:
        """Return the agent that CONSUL_HTTP_ADDR names, without what it may hold of a password."""
        if not environment.get("CONSUL_HTTP_ADDR"):
            return ()
        address = str(access_of(self._settings, environment).address)
        settings = {"address": address}
        return [SuggestedProfile(name="consul", why="CONSUL_HTTP_ADDR", settings=settings)]

    async def _client(self) -> ConsulClient:
        # In a thread: it reads the files of the token and of the certificates, which blocks.
        return ConsulClient(await asyncio.to_thread(access_of, self._settings))

    async def _instances(
        self, client: ConsulClient, service: str, *, index: int = 0
    ) -> tuple[int, list[Instance]]:
        settings = self._settings
        newer, found = await client.instances(
            service,
            tag=settings.tag,
            near=settings.near,
            filter_expression=settings.filter,
            index=index,
            wait=_WATCH_WAIT_SECONDS,
        )
        # Proxies and gateways are registered as services, too, and are no Erlang nodes.
        nodes = [instance for instance in found if not instance.kind]
        if not settings.near:
            # `watch` compares two answers: the same instances must come in the same order.
            nodes.sort(key=lambda instance: (instance.node, instance.id))
        return newer, nodes

    def _targets(
        self, instances: Sequence[Instance], session: SessionApi, *, in_mesh: bool
    ) -> list[Target]:
        settings = self._settings
        targets: list[Target] = []
        left_out: list[str] = []
        for instance in instances:
            try:
                target = target_of(
                    instance,
                    basename=settings.basename,
                    domain=settings.domain,
                    tag=settings.tag,
                    cookies=self._cookies(),
                    transports=self._transports(instance.service, in_mesh=in_mesh),
                )
            except ValueError as error:
                left_out.append(f"{instance.id} ({error})")
                continue
            targets.append(target)
        if not targets:
            raise NoNodeFoundError(
                f"No instance has an address that a node can have: {'; '.join(left_out)}",
                remedy="Correct the service's Address in its registration.",
            )
        if left_out:
            session.warn(f"Left out: {'; '.join(left_out)}")
        return targets

    def _cookies(self) -> tuple[Ref, ...]:
        key = self._settings.cookie_key
        settings = self._settings.access_settings()
        if not key:
            return (Ref(name="consul-kv", settings=settings, only_if_named=True),)
        return (Ref(name="consul-kv", settings={**settings, "key": key}),)

    def _transports(self, service: str, *, in_mesh: bool) -> tuple[Ref, ...]:
        mesh = Ref(
            name="consul-connect",
            settings={**self._settings.access_settings(), "destination": service},
            only_if_named=not in_mesh,
        )
        return (mesh, Ref(name="direct"))


def _checked(service: str) -> str:
    """Return TARGET; ``UsageError`` where it cannot be the name of a service."""
    # Consul takes nearly everything as a name. But its HTTP server resolves "." and ".." in a
    # path, so that such a name would lead to another part of the API.
    steps = {"", ".", ".."} & set(service.split("/"))
    if service.strip() and service.isprintable() and not steps:
        return service
    raise UsageError(
        f"TARGET {service!r} is no name of a service",
        remedy="Give the service's name as `consul catalog services` lists it; a node whose name"
        " and address you know is -b fixed name@address.",
    )


async def not_found_diagnosis(
    client: ConsulClient, service: str, *, tag: str, filter_expression: str
) -> ErlconnectError:
    """Look around ``service`` and return the error that says what is wrong.

    Raises what ``client`` raises.
    """
    _, everything = await client.instances(service, passing=False)
    asked = f"Asked Consul at {client.access.address} for the service {service}"
    if not everything:
        return _unseen(client, service, await client.services(), await client.has_acls(), asked)
    if all(instance.kind for instance in everything):
        return _only_proxies(everything, asked)
    nodes = [instance for instance in everything if not instance.kind]
    fitting = [instance for instance in nodes if not tag or tag in instance.tags]
    if not fitting:
        return _without_tag(nodes, tag, asked)
    failing = [instance for instance in fitting if instance.failing]
    if len(failing) == len(fitting):
        return NoNodeFoundError(
            f"{asked}: none of its {len(fitting)} instances passes its checks:"
            f" {_listed([_failing_check(each) for each in failing], '; ')}",
            remedy="Start the service again, or correct its checks; only instances are used all"
            " of whose checks pass, those of their Consul node too.",
        )
    return NoNodeFoundError(
        f"{asked}: it has {len(fitting)} instances and none fits"
        + (f" -o filter={filter_expression!r}" if filter_expression else ""),
        remedy="Try again with another -o filter=, or without it.",
    )


def _unseen(
    client: ConsulClient, service: str, services: dict[str, list[str]], has_acls: bool, asked: str
) -> ErlconnectError:
    near = difflib.get_close_matches(service, services, n=1)
    spelling = f"Did you mean {near[0]}?" if near else "Check the spelling."
    if "@" in service:
        spelling += " A node whose name and address you know is -b fixed name@address."
    there = _listed(sorted(services), ", ")
    if not has_acls:
        return NameNotFoundError(
            f"{asked}: there is no such service; there are {there}",
            remedy=f"{spelling} Another datacenter is -o datacenter=.",
        )
    whose = "the token" if client.access.token else "a request without a token"
    right = f'service "{service}" {{ policy = "read" }} {_NODE_RIGHT}'
    if service in services:
        return RefusedError(
            f"{asked}: it is in the catalogue, but {whose} may see none of the Consul nodes that"
            " it runs on",
            remedy=f"To see them, {_needs(client)} a policy with: {_NODE_RIGHT}",
        )
    if not services:
        return RefusedError(
            f"{asked}: the answer is empty, and so is the whole catalogue, so {whose} may see"
            " nothing; the service may exist",
            remedy=f"To see it, {_needs(client)} a policy with: {right}",
        )
    return NameNotFoundError(
        f"{asked}: there is no such service, or {whose} may not see it; it may see {there}",
        remedy=f"{spelling} Or it exists and is hidden: {_needs(client)} a policy with: {right}",
    )


def _needs(client: ConsulClient) -> str:
    if client.access.token:
        return "give the token"
    return "name a token with -o token-file= or CONSUL_HTTP_TOKEN that has"


def _only_proxies(everything: Sequence[Instance], asked: str) -> ErlconnectError:
    proxied = sorted({instance.proxied for instance in everything if instance.proxied})
    return NoNodeFoundError(
        f"{asked}: all its instances are proxies ({everything[0].kind}), not nodes",
        remedy=f"Ask for the service behind them: {', '.join(proxied)}."
        if proxied
        else "Ask for the service behind them.",
    )


def _without_tag(nodes: Sequence[Instance], tag: str, asked: str) -> ErlconnectError:
    tags = sorted({each for instance in nodes for each in instance.tags})
    return NoNodeFoundError(
        f"{asked}: none of its {len(nodes)} instances has the tag {tag}",
        remedy=f"Their tags are: {_listed(tags, ', ')}." if tags else "They have no tags at all.",
    )


def _failing_check(instance: Instance) -> str:
    check = instance.failing[0]
    said = f" ({printable(check.output)})" if check.output.strip() else ""
    return f"{instance.id}: {check.name} is {check.status}{said}"


def _listed(texts: Iterable[str], separator: str) -> str:
    listed = list(texts)
    more = len(listed) - _MAX_LISTED
    return separator.join([*listed[:_MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])
