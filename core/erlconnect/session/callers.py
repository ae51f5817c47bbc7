"""Which local nodes are connected under which caller names.

``--caller-name`` gives all of them one name, and a node keeps one connection per name: it ends the
older one without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from erlconnect.hookspecs import LinkEvent


class ConnectedCallers:
    """Told of every link, it notices when one takes the place of another."""

    def __init__(self) -> None:
        self._local_nodes: dict[tuple[str, str], str] = {}

    def notice(self, event: LinkEvent) -> str:
        """Give what to warn of, mostly nothing."""
        place = (event.node, event.caller_name)
        before = self._local_nodes.get(place, event.local_node)
        if event.kind == "link-down":
            if before == event.local_node:
                self._local_nodes.pop(place, None)
            return ""
        self._local_nodes[place] = event.local_node
        if before == event.local_node:
            return ""
        return (
            f"{event.local_node} takes the place of {before}: both are {event.caller_name} to "
            f"{event.node}, which keeps one connection for a name. Without --caller-name each "
            "local node has a name of its own."
        )
