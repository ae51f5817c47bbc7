"""The addresses of one name: A and AAAA records, asked for at the same time.

Knows what it means when only one of the two can be had. Refuses to know what the name is for.
"""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from erlconnect.api import ErlconnectError, LookupFailedError
from erlconnect_backends.dns_records.failures import no_records, unusable_addresses
from erlconnect_backends.dns_records.records import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from erlconnect_backends.dns_records.records import Kind
    from erlconnect_backends.dns_records.resolver import Resolver


async def addresses_of(
    name: str,
    kinds: Sequence[Kind],
    *,
    resolver: Resolver,
    until: float,
    warn: Callable[[str], None],
) -> list[str]:
    """Give the addresses in their order, at least one.

    A failed lookup of one kind is warned of where the other kind has addresses, and is the error
    where it has none. Raises ``LookupFailedError``, ``NameNotFoundError``, ``NoNodeFoundError``.
    """
    async with asyncio.TaskGroup() as tasks:
        asked = [
            tasks.create_task(_outcome(resolver, Question(name=name, kind=kind), until))
            for kind in kinds
        ]
    outcomes = [task.result() for task in asked]
    answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    errors = [outcome for outcome in outcomes if isinstance(outcome, ErlconnectError)]
    failed = [error for error in errors if isinstance(error, LookupFailedError)]
    found = [address for answer in answers for address in answer.addresses]
    if addresses := in_order(found):
        for error in failed:
            warn(error.message)
        return addresses
    if failed:
        raise failed[0]
    if not answers:
        raise errors[0]
    if found:
        raise unusable_addresses(name, found, answers[0].server)
    raise no_records(name, kinds, answers[0].server)


async def _outcome(
    resolver: Resolver, question: Question, until: float
) -> Answer | ErlconnectError:
    try:
        return await resolver.lookup(question, until=until)
    except ErlconnectError as error:
        return error


def in_order(found: Iterable[str]) -> list[str]:
    """Give each address once, IPv4 first, without those that nobody can have."""
    addresses = {ip_address(text) for text in found}
    usable = [each for each in addresses if not (each.is_unspecified or each.is_multicast)]
    return [str(each) for each in sorted(usable, key=_place)]


def _place(address: IPv4Address | IPv6Address) -> tuple[int, int]:
    return (address.version, int(address))
