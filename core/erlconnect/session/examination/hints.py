"""What more can be said of a failure by who looks at the whole: an address that leads nowhere."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from erlconnect.errors import TimedOutError, UnreachableError
from erlconnect.session.offers import DEFAULT_TRANSPORT

if TYPE_CHECKING:
    from erlconnect.api import Target
    from erlconnect.errors import ErlconnectError

_SOMEBODY_IS_THERE: Final = "refused the connection"
_PRIVATE_DOMAINS: Final = (".internal", ".local", ".svc")


def remedy_of(error: ErlconnectError, target: Target, transport: str) -> str:
    """Give what helps; where the straight way to a private address is none, which others are."""
    straight = transport == DEFAULT_TRANSPORT.name
    lost = isinstance(error, (UnreachableError, TimedOutError))
    if straight and lost and _SOMEBODY_IS_THERE not in error.message and _is_private(target):
        return (
            f"{target.address} is an address of a private network, and nothing on this machine "
            "leads there: join the network (a VPN), or go through a command inside it, e.g. "
            "`--via 'ssh -W %h:%p bastion'`."
        )
    return error.remedy


def _is_private(target: Target) -> bool:
    """Say whether the address means something inside one network only."""
    try:
        numeric = ipaddress.ip_address(target.address.partition("%")[0])
    except ValueError:
        return target.address.endswith(_PRIVATE_DOMAINS)
    return numeric.is_private and not numeric.is_loopback
