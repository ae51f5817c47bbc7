"""Instances of a service as Consul's health endpoint lists them, and the targets made of them.

Form of an entry: https://developer.hashicorp.com/consul/api-docs/health
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import NodeName, Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.api import Ref

EPMD_PORT: Final = 4369


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of an instance or of its node."""

    name: str
    status: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance of a service; ``kind`` is empty unless it is a proxy or a gateway.

    ``address`` is the node's where the service has none of its own; ``proxied`` is the service
    that a proxy is for.
    """

    service: str
    id: str
    node: str
    address: str
    port: int
    datacenter: str = ""
    kind: str = ""
    proxied: str = ""
    tags: tuple[str, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def failing(self) -> tuple[Check, ...]:
        """The checks that are not passing."""
        return tuple(check for check in self.checks if check.status != "passing")


def instances_of(entries: Sequence[Mapping[str, Any]]) -> list[Instance]:
    """Return the instances of a health answer.

    Raises ``TypeError``, ``LookupError``, ``AttributeError`` or ``ValueError`` for another form.
    """
    if not isinstance(entries, list):
        raise TypeError("not a list")
    return [_instance(entry["Node"], entry["Service"], entry["Checks"]) for entry in entries]


def _instance(
    node: Mapping[str, Any], service: Mapping[str, Any], checks: Sequence[Mapping[str, Any]] | None
) -> Instance:
    # Consul writes null for an empty map or list of some of these.
    proxy = service.get("Proxy") or {}
    return Instance(
        service=str(service["Service"]),
        id=str(service["ID"]),
        node=str(node["Node"]),
        # Without an address of its own a service has that of its node (Consul: Health API).
        address=str(service["Address"] or node["Address"]),
        port=int(service["Port"] or 0),
        datacenter=str(node.get("Datacenter") or ""),
        kind=str(service.get("Kind") or ""),
        proxied=str(proxy.get("DestinationServiceName") or ""),
        tags=tuple(map(str, service.get("Tags") or ())),
        meta={str(key): str(value) for key, value in (service.get("Meta") or {}).items()},
        checks=tuple(_check(each) for each in checks or ()),
    )


def _check(check: Mapping[str, Any]) -> Check:
    return Check(
        name=str(check.get("Name") or check.get("CheckID") or ""),
        status=str(check.get("Status") or ""),
        output=str(check.get("Output") or ""),
    )


def target_of(
    instance: Instance,
    *,
    basename: str,
    domain: str,
    tag: str,
    cookies: tuple[Ref, ...] = (),
    transports: tuple[Ref, ...] = (),
) -> Target:
    """Return the target; ``ValueError`` where its address cannot be the host of a node.

    ``tag`` is the one of the setting. The port is the distribution's unless it is epmd's or
    there is none.
    """
    host = _address(instance.address)
    # The part before the "@" may be unknown still; the host has to be one that a node can have.
    NodeName.parse(f"{basename or 'unknown'}@{host}")
    return Target(
        node=NodeName(name=basename, host=host),
        address=host,
        dist_port=None if instance.port in (0, EPMD_PORT) else instance.port,
        cookies=cookies,
        transports=transports,
        facts=_facts(instance, domain=domain, tag=tag),
    )


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return text


def _facts(instance: Instance, *, domain: str, tag: str) -> dict[str, str]:
    tag = tag or next(iter(instance.tags), "")
    return {
        "id": instance.id,
        "service": instance.service,
        **({"tag": tag} if tag else {}),
        **({"tags": ", ".join(instance.tags)} if len(instance.tags) > 1 else {}),
        "hostname": instance.node,
        "datacenter": instance.datacenter,
        "domain": domain,
        **{f"meta.{key}": value for key, value in sorted(instance.meta.items())},
    }
