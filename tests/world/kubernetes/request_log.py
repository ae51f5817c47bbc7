"""Which requests the API server double has received, in their order; no credentials among it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence


class RequestLog:
    """Requests as ``METHOD /path?query SUBPROTOCOLS``; any thread may read them."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, method: str, path: str, protocols: Sequence[str]) -> str:
        """Note a request, and give the line that stands for it."""
        line = f"{method} {path} {','.join(protocols)}".rstrip()
        self._lines.append(line)
        return line

    def seen(self, where: str = "") -> list[str]:
        """The requests so far in which the regular expression ``where`` is found."""
        return [line for line in self._lines if re.search(where, line)]

    def wait_for(self, where: str, timeout: float = 10) -> str:
        """The first such request, old or new."""
        wait_until(lambda: self.seen(where), f"a request like {where}", timeout)
        return self.seen(where)[0]

    def forget(self) -> None:
        """Begin anew."""
        self._lines = []
