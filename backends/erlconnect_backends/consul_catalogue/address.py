"""Where an agent listens: ``HOST[:PORT]``, ``http://``, ``https://`` or ``unix://PATH``.

Refuses to connect. A text means what the ``consul`` program takes it for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

DEFAULT: Final = "127.0.0.1:8500"

_USUAL_PORTS: Final = {"http": 80, "https": 443}
_MAX_PORT: Final = 65535
_URL: Final = re.compile(
    r"(?:(http|https|tcp)://)?(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:/?#@\s]+))?(?::([0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAddress:
    """One place of an agent; ``path`` is that of a Unix socket, else empty.

    ``tls`` says whether TLS is spoken there, which a Unix socket's scheme does not tell.
    """

    scheme: Literal["http", "https", "unix"]
    tls: bool
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

    With ``tls`` it means TLS whatever its scheme: as in the consul program, ``http://`` never
    undoes a demand for TLS. Without a port it means the scheme's own, 80 or 443.
    """
    if text.startswith("unix://"):
        if not (path := text.removeprefix("unix://")):
            raise ValueError("after unix:// there has to be the path of a socket")
        return AgentAddress(scheme="unix", tls=tls, path=path)
    parts = _URL.fullmatch(text)
    if not parts or not (parts[2] or parts[3] or parts[4]):
        raise ValueError("it has to be HOST:PORT, http://HOST:PORT, https://... or unix://PATH")
    tls = tls or parts[1] == "https"
    scheme: Literal["http", "https"] = "https" if tls else "http"
    port = int(parts[4]) if parts[4] else _USUAL_PORTS[scheme]
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"there is no port {port}")
    host = parts[2] or _host_name(parts[3] or "localhost")  # A port alone is this machine's.
    return AgentAddress(scheme=scheme, tls=tls, host=host, port=port)


def _host_name(text: str) -> str:
    """Return ``text`` as DNS and HTTP have it: letters that are not ASCII in Punycode."""
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        # The codec's own words are for programmers.
        shown = text.encode(errors="backslashreplace").decode()
        raise ValueError(f"it has to be a host name that DNS can have, not {shown!r}") from None
