"""How fast links are just now: what was counted between two looks at a session."""

from __future__ import annotations

import time
from typing import Any, Final

_COUNTED: Final = ("bytes_in", "bytes_out")


class Rates:
    """Adds ``bytes_in_per_second`` and ``bytes_out_per_second`` to the links of a status."""

    def __init__(self) -> None:
        self._before: dict[object, tuple[float, dict[str, int]]] = {}

    def add(self, session: dict[str, Any]) -> dict[str, Any]:
        """Give the status with the rates since the last look; 0 for a link that is new."""
        aliases = [
            {**alias, "links": [self._with_rates(session, alias, link) for link in alias["links"]]}
            for alias in session["aliases"]
        ]
        return {**session, "aliases": aliases}

    def _with_rates(
        self, session: dict[str, Any], alias: dict[str, Any], link: dict[str, Any]
    ) -> dict[str, Any]:
        key = (session["pid"], alias["alias"], link["local_node"], link["since"])
        now = time.monotonic()
        counted = {name: link[name] for name in _COUNTED}
        then, before = self._before.get(key, (now, counted))
        self._before[key] = (now, counted)
        seconds = max(now - then, 0.001)
        rates = {
            f"{name}_per_second": round((counted[name] - before[name]) / seconds)
            for name in _COUNTED
        }
        return {**link, **rates}
