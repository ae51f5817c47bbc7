"""What more can be said of a failure by who looks at the whole: an address that leads nowhere."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from erlconnect.errors import LookupTimeoutError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from erlconnect.api import Target
    from erlconnect.errors import ErlconnectError

_NOTHING_LEADS_THERE = (
    "no route",
    "did not accept a connection",
    "no answer",
    "no address of this machine",
)


def with_hint(error: ErlconnectError, target: Target) -> str:
    """Give the remedy of ``error``; where no way leads to a private address, what way there is."""
    lost = isinstance(error, (UnreachableError, TimedOutError, LookupTimeoutError))
    told = any(words in error.message for words in _NOTHING_LEADS_THERE)
    if lost and told and _is_private(target.address):
        return (
            f"{target.address} is an address of a private network, and nothing on this machine "
            "leads there: join the network (a VPN), or go through a command inside it, e.g. "
            "`--via 'ssh -W %h:%p bastion'`."
        )
    return error.remedy


def _is_private(address: str) -> bool:
    """Say whether ``address`` means something inside one network only."""
    try:
        numeric = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address.endswith((".internal", ".local", ".svc"))
    return numeric.is_private and not numeric.is_loopback
