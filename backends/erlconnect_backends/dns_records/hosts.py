"""From SRV records to targets: one host for each target of the records, with all its ports.

Knows what a port in an SRV record can be: the distribution's, epmd's, or anything. Refuses to look
anything up. Specification: RFC 2782.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import NodeName, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from erlconnect_backends.dns_records.records import ServiceRecord

EPMD_PORT: Final = 4369

_SERVICE_QUERY: Final = re.compile(r"_[^.]+\._[^.]+\.(.+)")
_EPMD_QUERY: Final = re.compile(r"_epmd\._tcp\..+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHost:
    """One host of a service, placed by the best of its records; ``ports`` without 0, best first."""

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


def service_of(name: str) -> str | None:
    """Give what stands behind ``_x._tcp.``; ``None`` for a name without such a beginning."""
    parts = _SERVICE_QUERY.fullmatch(name)
    return parts[1] if parts else None


def hosts_of(records: Iterable[ServiceRecord]) -> list[ServiceHost]:
    """Order by priority, then by falling weight, then by name; each host once, however often named.

    RFC 2782 draws lots by weight; an order that is always the same serves people better. Records
    without a target are left out.
    """
    ordered = sorted(
        (record for record in records if record.target),
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
        groups.setdefault(record.target.lower(), []).append(record)
    return [_host(group) for group in groups.values()]


def _host(records: Sequence[ServiceRecord]) -> ServiceHost:
    best = records[0]
    ports = dict.fromkeys(record.port for record in records if record.port)
    return ServiceHost(
        target=best.target, priority=best.priority, weight=best.weight, ports=tuple(ports)
    )


def targets_of(
    host: ServiceHost, addresses: Iterable[str], *, asked: str, basename: str
) -> Iterator[Target]:
    """Give one target for each address of ``host``."""
    epmd_port, dist_port = _epmd_and_dist(host, asked)
    facts = _facts(host, asked)
    for address in addresses:
        yield Target(
            node=NodeName(name=basename, host=host.target),
            address=address,
            dist_port=dist_port,
            epmd_port=epmd_port,
            facts=facts,
        )


def _epmd_and_dist(host: ServiceHost, asked: str) -> tuple[int, int | None]:
    if _EPMD_QUERY.fullmatch(asked):
        return (host.ports[0] if host.ports else EPMD_PORT), None
    if len(host.ports) == 1 and host.ports[0] != EPMD_PORT:
        return EPMD_PORT, host.ports[0]
    return EPMD_PORT, None


def _facts(host: ServiceHost, asked: str) -> dict[str, str]:
    facts = {"record": "SRV", "service": service_of(asked) or asked, "target": host.target}
    if host.address is None:
        facts["label"] = host.target.partition(".")[0]
    if host.ports:
        facts["ports"] = ", ".join(map(str, host.ports))
    return facts | {"priority": str(host.priority), "weight": str(host.weight)}


def address_target(address: str, *, asked: str, basename: str) -> Target:
    """Give the target of an A or AAAA record."""
    record = "AAAA" if ":" in address else "A"
    return Target(
        node=NodeName(name=basename, host=address),
        address=address,
        facts={"record": record, "service": service_of(asked) or asked},
    )
