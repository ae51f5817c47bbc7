"""Names on this machine and names that it shows to others: aliases and caller names.

A caller name is stable over reconnects, because every new one would stay in the remote node's atom
table for ever; and it never resolves, so that no node of the cluster can try to call back.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# These never resolve (RFC 2606).
_LONG_HOST: Final = "erlconnect.invalid"
_SHORT_HOST: Final = "invalid"
# A node name is an atom, of 255 characters at most: name, user, digits and host have to fit.
_LONGEST_PART: Final = 80
_NOT_IN_A_NAME: Final = re.compile(r"[^0-9A-Za-z_\-]")
# The log of a remote node may show it (docs/guides/caller-names.md), so it stays.
_PROBE: Final = "erlconnect-knock"
_OWN_CONNECTION: Final = "erlconnect-check"


def alias_for(name: str, local_node: str) -> str:
    """Return the alias in the form that ``local_node`` can dial, which its host tells.

    A node that asks for a name (``-name undefined@127.0.0.1``) sends its host alone.
    """
    host = local_node.rpartition("@")[2]
    if ":" in host:
        return f"{name}@::1"
    return f"{name}@127.0.0.1" if "." in host else f"{name}@localhost"


def alias_forms(name: str) -> tuple[str, str, str]:
    """Return the alias for long names, for short names and for IPv6."""
    return f"{name}@127.0.0.1", f"{name}@localhost", f"{name}@::1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerNames:
    """Gives each local node its name on the remote side.

    ``fixed`` is what ``--caller-name`` says. ``slot`` tells this user's sessions apart, so that one
    node can reach one target through two of them.
    """

    epmd_port: int
    slot: int
    fixed: str | None = None

    def of(self, local_node: str, *, long: bool) -> str:
        """Return the caller name of ``local_node`` towards a node with long or short names."""
        host = _LONG_HOST if long else _SHORT_HOST
        if self.fixed:
            return self.fixed if "@" in self.fixed else f"{self.fixed}@{host}"
        name = local_node.partition("@")[0][:_LONGEST_PART]
        user = _user()
        seed = "\0".join([_machine(), user, str(self.epmd_port), local_node, str(self.slot)])
        digits = hashlib.sha256(seed.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return f"{name}-{user}-{digits}@{host}"

    def for_probe(self, *, long: bool) -> str:
        """Return the name that a probe has."""
        return self.of(f"{_PROBE}@localhost", long=long)

    def for_own_connection(self, *, long: bool) -> str:
        """Return the name of a connection of our own: a probe with the same name would end it."""
        return self.of(f"{_OWN_CONNECTION}@localhost", long=long)


def _user() -> str:
    try:
        user = getpass.getuser()
    # A container may run under a user id that has no name.
    except (KeyError, OSError):
        user = "nobody"
    return _NOT_IN_A_NAME.sub("_", user)[:_LONGEST_PART]


def _machine() -> str:
    try:
        return Path("/etc/machine-id").read_text().strip()
    # Not on macOS, for example.
    except (OSError, ValueError):
        return f"{uuid.getnode():x}"
