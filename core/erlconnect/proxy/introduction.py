"""What a handshake is given, and the names that it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from erlconnect.distribution.flags import hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from erlconnect.api import Cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """The cookie of each side."""

    local: Cookie
    remote: Cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What one handshake follows.

    ``neighbours`` gives, for the local and the remote node's name, the alias and the real name of
    each other node that the link is to know. ``cookies`` is ``None`` to pass challenge and digests
    through. ``name`` is the name part that the remote node must have, ``where`` names it in
    messages.
    """

    alias_for: Callable[[str], str]
    caller_name_for: Callable[[str], str]
    neighbours: Callable[[str, str], Sequence[tuple[str, str]]]
    cookies: Cookies | None
    visible: bool
    name: str
    where: str

    def flags(self, flags: int) -> int:
        """Give the flags that the other side gets to see."""
        return flags if self.visible else hidden(flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduced:
    """What a handshake ended with: the local node's name, its caller name, alias and node.

    The flags are what each of the two said. ``neighbours`` are other nodes, each by its alias and
    its real name.
    """

    local_node: str
    caller_name: str
    alias: str
    node: str
    local_flags: int
    remote_flags: int
    neighbours: Sequence[tuple[str, str]]
