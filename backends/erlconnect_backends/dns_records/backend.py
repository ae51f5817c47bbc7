"""Decides what to ask DNS for and what the answers mean for the user.

Refuses to know how a question is asked; ``resolver`` does.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    ErlconnectError,
    LookupFailedError,
    NameNotFoundError,
    NodeName,
    NoNodeFoundError,
)
from erlconnect_backends.dns_records import failures
from erlconnect_backends.dns_records.addresses import addresses_of, in_order
from erlconnect_backends.dns_records.hosts import (
    ServiceHost,
    address_target,
    hosts_of,
    service_of,
    targets_of,
)
from erlconnect_backends.dns_records.records import Answer, Kind, Question
from erlconnect_backends.dns_records.resolver import Resolver, dns_name
from erlconnect_backends.dns_records.ways import tries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from erlconnect.api import Query, SessionApi, Target
    from erlconnect_backends.dns_records.discovery import DnsSettings

SECONDS: Final = 5.0  # of one discovery, all its questions together

_ADDRESS_KINDS: Final[tuple[Kind, ...]] = ("A", "AAAA")
_NO_NAME: Final = re.compile(r"[\x00-\x20\x7f\s@/:\\\"'();,]")


class DnsBackend:
    """Finds nodes by SRV, A and AAAA records; ``seconds`` is the time for one discovery."""

    def __init__(self, settings: DnsSettings, *, seconds: float = SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Give the targets: of SRV records in the records' order, of addresses in theirs.

        Raises ``UsageError`` where TARGET is no name, ``NameNotFoundError`` for NXDOMAIN,
        ``LookupFailedError`` and ``LookupTimeoutError`` where no server answered the question,
        ``NoNodeFoundError`` where the answer holds no address. Cancelled, it leaves nothing behind.
        """
        name = _checked(query.service)
        async with tries_of(self._settings, session, seconds=self._seconds) as (tries, until):
            search = _Search(
                name=name,
                basename=self._settings.basename,
                resolver=Resolver(tries),
                until=until,
                warn=session.warn,
            )
            return await self._found_by(search)

    async def _found_by(self, search: _Search) -> list[Target]:
        match self._settings.record:
            case "auto":
                return await search.anything()
            case "srv":
                return await search.services(await search.ask_services(search.until))
            case "a":
                return await search.addresses(("A",))
            case "aaaa":
                return await search.addresses(("AAAA",))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    name: str
    basename: str
    resolver: Resolver
    until: float
    warn: Callable[[str], None]

    async def anything(self) -> list[Target]:
        """Take SRV records if there are any; ``_x._tcp.name`` cannot have anything else."""
        if service_of(self.name):
            return await self.services(await self.ask_services(self.until))
        failure: LookupFailedError | None = None
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
        return [address_target(each, asked=self.name, basename=self.basename) for each in found]

    async def services(self, answer: Answer) -> list[Target]:
        hosts = hosts_of(answer.services)
        if not hosts:
            failure = failures.not_available if answer.services else _no_services
            raise failure(self.name, answer.server)
        notes: list[str] = []
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._places(host, answer, notes)) for host in hosts]
        targets: list[Target] = []
        left_out: dict[str, ErlconnectError] = {}
        for host, task in zip(hosts, asked, strict=True):
            places = task.result()
            if isinstance(places, ErlconnectError):
                left_out[host.target] = places
            else:
                targets += targets_of(host, places, asked=self.name, basename=self.basename)
        if not targets:
            raise failures.none_left(self.name, left_out)
        if left_out:
            self.warn(failures.skipped(left_out))
        if notes:
            self.warn(failures.incomplete(notes))
        return targets

    async def _places(
        self, host: ServiceHost, answer: Answer, notes: list[str]
    ) -> list[str] | ErlconnectError:
        """Give the addresses of ``host``, those that came along first, or why there are none."""
        try:
            NodeName.parse(f"{self.basename or 'a'}@{host.target}")
        except ValueError as error:
            return failures.no_node_name(host.target, error)
        known = [host.address] if host.address else answer.glue.get(host.target.lower(), ())
        if usable := in_order(known):
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
    return failures.no_records(name, ("SRV",), server)


def _checked(text: str) -> str:
    """Give TARGET as a DNS name; ``UsageError`` where it cannot be one."""
    if "@" in text:
        raise failures.no_dns_name(text, "there is an '@' in it, as in a node's name")
    if _NO_NAME.search(text):
        raise failures.no_dns_name(text, "there is a character in it that no host name has")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        raise failures.no_dns_name(text, "it is an address")
    try:
        name = dns_name(text)
    except ValueError as error:
        raise failures.no_dns_name(text, str(error)) from None
    if not name:
        raise failures.no_dns_name(text, "it is empty")
    return name
