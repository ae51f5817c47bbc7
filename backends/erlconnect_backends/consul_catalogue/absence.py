"""Why no usable instance was found: there is none, it is not well, or it may not be seen.

Consul gives whoever lacks rights an empty list, as if there were nothing. What it shows of the rest
of its catalogue tells the two apart in most cases: every cluster has the service ``consul``.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from erlconnect.api import ErlconnectError, NameNotFoundError, NoNodeFoundError, RefusedError
from erlconnect_backends.consul_catalogue.failures import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from erlconnect_backends.consul_catalogue.client import ConsulClient
    from erlconnect_backends.consul_catalogue.instances import Instance

_MAX_LISTED: Final = 5
_NODE_RIGHT: Final = 'node_prefix "" { policy = "read" }'


async def why_absent(
    client: ConsulClient, service: str, *, tag: str, filter_expression: str
) -> ErlconnectError:
    """Ask for everything around ``service`` and give the error that says what is wrong.

    Raises what ``client`` raises where it cannot be asked.
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
    ill = [instance for instance in fitting if instance.failing]
    if len(ill) == len(fitting):
        return NoNodeFoundError(
            f"{asked}: none of its {len(fitting)} instances passes its checks:"
            f" {_listed([_illness(each) for each in ill], '; ')}",
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
            remedy=f"To see them, {_give(client)} a policy with: {_NODE_RIGHT}",
        )
    if not services:
        return RefusedError(
            f"{asked}: the answer is empty, and so is the whole catalogue, so {whose} may see"
            " nothing; the service may exist",
            remedy=f"To see it, {_give(client)} a policy with: {right}",
        )
    return NameNotFoundError(
        f"{asked}: there is no such service, or {whose} may not see it; it may see {there}",
        remedy=f"{spelling} Or it exists and is hidden: {_give(client)} a policy with: {right}",
    )


def _give(client: ConsulClient) -> str:
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


def _illness(instance: Instance) -> str:
    check = instance.failing[0]
    said = f" ({shown(check.output)})" if check.output.strip() else ""
    return f"{instance.id}: {check.name} is {check.status}{said}"


def _listed(texts: Iterable[str], separator: str) -> str:
    listed = list(texts)
    more = len(listed) - _MAX_LISTED
    return separator.join([*listed[:_MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])
