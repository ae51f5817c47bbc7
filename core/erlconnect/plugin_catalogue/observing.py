"""Tells one plugin of a link that came or went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.plugin_catalogue.blame import attending
from erlconnect.plugin_catalogue.judging import refuse_unfinished
from erlconnect.plugin_catalogue.loading import implementations

if TYPE_CHECKING:
    from collections.abc import Callable

    import pluggy

    from erlconnect.hookspecs import LinkEvent
    from erlconnect.plugin_catalogue.entries import CatalogueEntry

_HOOK: Final = "erlconnect_link_event"


def notify(
    manager: pluggy.PluginManager,
    entry: CatalogueEntry,
    event: LinkEvent,
    warn: Callable[[str], None],
) -> None:
    """Call the observing hooks of one plugin; ``PluginError`` where it fails.

    ``warn`` is called from another thread while the plugin takes too long.
    """
    arguments = {"event": event}
    for implementation in implementations(manager, entry.name, _HOOK):
        with attending(entry, _HOOK, warn):
            result = implementation.function(*(arguments[name] for name in implementation.argnames))
        refuse_unfinished(entry, _HOOK, result)
