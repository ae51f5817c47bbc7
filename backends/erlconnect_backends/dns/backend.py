"""Backend ``dns``: what is asked for, and which targets the answers are.

``DnsBackend`` runs one ``_Search`` over a ``resolver.Resolver``. SRV records become hosts, one for
each target of the records with all its ports, and a host becomes one target for each of its
addresses. Without SRV records the name's own addresses are the targets.

Specification: RFC 2782 (SRV).
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    NameNotFoundError,
    NodeName,
    NoNodeFoundError,
    Target,
)
from erlconnect_backends.dns import errors
from erlconnect_backends.dns.nameservers import cluster_name_server, name_servers
from erlconnect_backends.dns.plugin import is_in_cluster
from erlconnect_backends.dns.resolver import (
    Answer,
    Kind,
    Question,
    Resolver,
    addresses_of,
    dns_name,
    sorted_addresses,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from erlconnect.api import Query, SessionApi
    from erlconnect_backends.dns.plugin import DnsSettings
    from erlconnect_backends.dns.resolver import ServiceRecord

SECONDS: Final = 5.0  # of one discovery, all its queries together
EPMD_PORT: Final = 4369
_ADDRESS_KINDS: Final[tuple[Kind, ...]] = ("A", "AAAA")
_SERVICE_QUERY: Final = re.compile(r"_[^.]+\._[^.]+\.(.+)")
# The records of _epmd._tcp hold the port of epmd, and not that of a node.
_EPMD_QUERY: Final = re.compile(r"_epmd\._tcp\..+", re.IGNORECASE)
# DNS itself allows any byte in a label (RFC 2181, section 11). No host name has these.
_NO_NAME: Final = re.compile(r"[\x00-\x20\x7f\s@/:\\\"'();,]")


class DnsBackend:
    """Finds nodes by SRV, A and AAAA records; ``seconds`` is the time for one discovery."""

    def __init__(self, settings: DnsSettings, *, seconds: float = SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Return the targets: of SRV records in the records' order, of addresses in theirs.

        Raises ``UsageError`` where TARGET is no name, ``NameNotFoundError`` for NXDOMAIN,
        ``LookupFailedError`` and ``LookupTimeoutError`` where no server answered,
        ``NoNodeFoundError`` where the answer holds no address. Cancelled, it leaves nothing behind.
        """
        name = _checked(query.service)
        async with resolver_of(self._settings, session, seconds=self._seconds) as (resolver, until):
            search = _Search(
                name=name,
                basename=self._settings.basename,
                resolver=resolver,
                until=until,
                warn=session.warn,
            )
            return await self._run(search)

    async def _run(self, search: _Search) -> list[Target]:
        match self._settings.record:
            case "auto":
                return await search.any_records()
            case "srv":
                return await search.services(await search.ask_services(search.until))
            case "a":
                return await search.addresses(("A",))
            case "aaaa":
                return await search.addresses(("AAAA",))


@asynccontextmanager
async def resolver_of(
    settings: DnsSettings, session: SessionApi, *, seconds: float
) -> AsyncIterator[tuple[Resolver, float]]:
    """Return a resolver, and the event loop's time until when to ask; usually after ``seconds``.

    Raises what ``name_servers`` and ``cluster_name_server`` raise.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    if settings.server and is_in_cluster(settings.server):
        async with cluster_name_server(settings.server, session) as (server, open_stream):
            # A tunnel that was slow to open is as slow for the next query.
            # Therefore the time that the opening took is added to that of the queries.
            longer = seconds + loop.time() - began
            resolver = Resolver([server], tcp=True, seconds=longer, open_stream=open_stream)
            yield resolver, loop.time() + longer
    else:
        until = began + seconds
        servers = await name_servers(settings.server, until=until)
        yield Resolver(servers, tcp=settings.tcp, seconds=seconds), until


def _checked(text: str) -> str:
    """Return TARGET as a DNS name; ``UsageError`` where it cannot be one."""
    if "@" in text:
        raise errors.no_dns_name(text, "there is an '@' in it, as in a node's name")
    if _NO_NAME.search(text):
        raise errors.no_dns_name(text, "there is a character in it that no host name has")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        raise errors.no_dns_name(text, "it is an address")
    try:
        name = dns_name(text)
    except ValueError as error:
        raise errors.no_dns_name(text, str(error)) from None
    if not name:
        raise errors.no_dns_name(text, "it is empty")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    name: str
    basename: str
    resolver: Resolver
    until: float
    warn: Callable[[str], None]

    async def any_records(self) -> list[Target]:
        """Return the targets of SRV records if there are any, else those of addresses.

        ``_x._tcp.name`` can only have SRV records.
        """
        if service_of(self.name):
            return await self.services(await self.ask_services(self.until))
        failure: LookupFailedError | None = None
        # A server that drops queries for SRV must leave time to ask for addresses.
        halfway = (asyncio.get_running_loop().time() + self.until) / 2
        try:
            answer = await self.ask_services(halfway)
        except LookupFailedError as error:
            failure = error
        except NameNotFoundError:
            # Some forwarders know addresses only and call every other record NXDOMAIN.
            pass
        else:
            if answer.services:
                return await self.services(answer)
        return await self._addresses_after(failure)

    async def _addresses_after(self, failure: LookupFailedError | None) -> list[Target]:
        """Ask for addresses; nothing that they lack may hide that the SRV lookup failed."""
        try:
            found = await self.addresses(_ADDRESS_KINDS)
        except (LookupFailedError, NoNodeFoundError) as error:
            raise failure or error from None
        if failure:
            self.warn(f"{failure.message}. Its addresses are used without SRV records.")
        return found

    async def ask_services(self, until: float) -> Answer:
        return await self.resolver.lookup(Question(name=self.name, kind="SRV"), until=until)

    async def addresses(self, kinds: Sequence[Kind]) -> list[Target]:
        found = await addresses_of(
            self.name, kinds, resolver=self.resolver, until=self.until, warn=self.warn
        )
        return [address_target(each, name=self.name, basename=self.basename) for each in found]

    async def services(self, answer: Answer) -> list[Target]:
        hosts = hosts_of(answer.services)
        if not hosts:
            # A target of "." says that the service is decidedly not available (RFC 2782).
            failure = errors.not_available if answer.services else _no_services
            raise failure(self.name, answer.server)
        notes: list[str] = []
        async with asyncio.TaskGroup() as tasks:
            lookups = [tasks.create_task(self._addresses_of(host, answer, notes)) for host in hosts]
        targets: list[Target] = []
        left_out: dict[str, ErlconnectError] = {}
        for host, task in zip(hosts, lookups, strict=True):
            found = task.result()
            if isinstance(found, ErlconnectError):
                left_out[host.target] = found
            else:
                targets += targets_of(host, found, name=self.name, basename=self.basename)
        if not targets:
            raise errors.none_left(self.name, left_out)
        if left_out:
            self.warn(errors.skipped(left_out))
        if notes:
            self.warn(errors.incomplete(notes))
        return targets

    async def _addresses_of(
        self, host: ServiceHost, answer: Answer, notes: list[str]
    ) -> list[str] | ErlconnectError:
        """Return the addresses of ``host``, those that came along first, or why there are none."""
        try:
            NodeName.parse(f"{self.basename or 'a'}@{host.target}")
        except ValueError as error:
            return errors.no_node_name(host.target, error)
        # A server may send the targets' addresses in the additional section (RFC 2782).
        known = [host.address] if host.address else answer.glue.get(host.target.lower(), ())
        if usable := sorted_addresses(known):
            return usable
        try:
            return await addresses_of(
                host.target,
                _ADDRESS_KINDS,
                resolver=self.resolver,
                until=self.until,
                warn=notes.append,
            )
        except (LookupFailedError, NoNodeFoundError) as error:
            return error


def _no_services(name: str, server: str) -> NoNodeFoundError:
    return errors.no_records(name, ("SRV",), server)


def service_of(name: str) -> str | None:
    """Return what follows ``_x._tcp.``; ``None`` for a name without such a beginning."""
    parts = _SERVICE_QUERY.fullmatch(name)
    return parts[1] if parts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHost:
    """One host of a service, ordered by the best of its records; ``ports`` best first, no 0."""

    target: str
    priority: int
    weight: int
    ports: tuple[int, ...]

    @property
    def address(self) -> str | None:
        """The target itself where the record holds an address in place of a name."""
        try:
            return str(ipaddress.ip_address(self.target))
        except ValueError:
            return None


def hosts_of(records: Iterable[ServiceRecord]) -> list[ServiceHost]:
    """Order by priority, then by falling weight, then by name; each host once, however often named.

    Records without a target are left out.
    """
    # RFC 2782 draws lots by weight. People need the same order at every call.
    ordered = sorted(
        (record for record in records if record.target),
        # The lower priority is tried first, and the larger weight preferred (RFC 2782).
        key=lambda record: (
            record.priority,
            -record.weight,
            record.target.lower(),
            record.port,
            record.target,
        ),
    )
    groups: dict[str, list[ServiceRecord]] = {}
    for record in ordered:
        # DNS names are equal whatever the case of their letters (RFC 4343).
        groups.setdefault(record.target.lower(), []).append(record)
    return [_host(group) for group in groups.values()]


def _host(records: Sequence[ServiceRecord]) -> ServiceHost:
    best = records[0]
    ports = dict.fromkeys(record.port for record in records if record.port)
    return ServiceHost(
        target=best.target, priority=best.priority, weight=best.weight, ports=tuple(ports)
    )


def targets_of(
    host: ServiceHost, addresses: Iterable[str], *, name: str, basename: str
) -> Iterator[Target]:
    """Return one target for each address of ``host``."""
    epmd_port, dist_port = _epmd_and_dist(host, name)
    facts = _facts(host, name)
    for address in addresses:
        yield Target(
            node=NodeName(name=basename, host=host.target),
            address=address,
            dist_port=dist_port,
            epmd_port=epmd_port,
            facts=facts,
        )


def _epmd_and_dist(host: ServiceHost, name: str) -> tuple[int, int | None]:
    if _EPMD_QUERY.fullmatch(name):
        return (host.ports[0] if host.ports else EPMD_PORT), None
    # One port that is not epmd's is the distribution's; of several nobody says which it is.
    if len(host.ports) == 1 and host.ports[0] != EPMD_PORT:
        return EPMD_PORT, host.ports[0]
    return EPMD_PORT, None


def _facts(host: ServiceHost, name: str) -> dict[str, str]:
    facts = {"record": "SRV", "service": service_of(name) or name, "target": host.target}
    if host.address is None:
        facts["label"] = host.target.partition(".")[0]
    if host.ports:
        facts["ports"] = ", ".join(map(str, host.ports))
    return facts | {"priority": str(host.priority), "weight": str(host.weight)}


def address_target(address: str, *, name: str, basename: str) -> Target:
    """Return the target of an A or AAAA record."""
    record = "AAAA" if ":" in address else "A"
    return Target(
        node=NodeName(name=basename, host=address),
        address=address,
        facts={"record": record, "service": service_of(name) or name},
    )
