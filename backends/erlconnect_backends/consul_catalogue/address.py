"""Where an agent listens: ``HOST[:PORT]``, ``http://``, ``https://`` or ``unix://PATH``.

Refuses to connect. A text means what the ``consul`` program takes it for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

DEFAULT: Final = "127.0.0.1:8500"

_USUAL_PORTS: Final = {"http": 80, "https": 443}
_CONSUL_PORT: Final = 8500
_MAX_PORT: Final = 65535
_URL: Final = re.compile(
    r"(?:(http|https|tcp)://)?(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:/?#@\s]+))(?::([0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAddress:
    """One place of an agent; ``path`` is that of a Unix socket, else empty."""

    scheme: Literal["http", "https", "unix"]
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def authority(self) -> str:
        """Give ``HOST:PORT`` with an IPv6 address in brackets; of a Unix socket ``localhost``."""
        if self.path:
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path or self.authority}"


def agent_address(text: str, *, tls: bool = False) -> AgentAddress:
    """Read ``text``; ``ValueError`` says what is wrong with it.

    ``tls`` is what a text without ``http://`` or ``https://`` means.
    """
    if text.startswith("unix://"):
        if not (path := text.removeprefix("unix://")):
            raise ValueError("after unix:// there has to be the path of a socket")
        return AgentAddress(scheme="unix", path=path)
    parts = _URL.fullmatch(text)
    if not parts:
        raise ValueError("it has to be HOST:PORT, http://HOST:PORT, https://... or unix://PATH")
    scheme: Literal["http", "https"] = "https" if parts[1] == "https" else "http"
    if tls and parts[1] != "http":
        scheme = "https"
    port = int(parts[4]) if parts[4] else _USUAL_PORTS.get(parts[1], _CONSUL_PORT)
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"there is no port {port}")
    return AgentAddress(scheme=scheme, host=parts[2] or parts[3], port=port)
