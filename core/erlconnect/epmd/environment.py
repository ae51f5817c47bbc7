"""Where the machine's own EPMD is, by the variables that Erlang reads too."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PORT: Final = 4369
_MAX_PORT: Final = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class EpmdEnvironment:
    """The port of the local EPMD, and addresses that it should listen on besides loopback."""

    port: int = DEFAULT_PORT
    addresses: tuple[str, ...] = ()

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> EpmdEnvironment:
        """Read ERL_EPMD_PORT and ERL_EPMD_ADDRESS (addresses with commas between).

        An empty variable counts as absent. Raises ``ConfigurationError`` where one is rubbish.
        """
        port = environment.get("ERL_EPMD_PORT", "").strip()
        addresses = environment.get("ERL_EPMD_ADDRESS", "").split(",")
        return cls(
            port=_port(port) if port else DEFAULT_PORT,
            addresses=tuple(_address(text.strip()) for text in addresses if text.strip()),
        )


def _port(text: str) -> int:
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < port <= _MAX_PORT:
        raise ConfigurationError(
            f"ERL_EPMD_PORT is {text!r}, which is no port",
            remedy=f"Set it to a number from 1 to {_MAX_PORT}, or unset it for {DEFAULT_PORT}.",
        )
    return port


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ConfigurationError(
            f"ERL_EPMD_ADDRESS holds {text!r}, which is no IP address",
            remedy="Set it to IP addresses with commas between them, or unset it.",
        ) from error
