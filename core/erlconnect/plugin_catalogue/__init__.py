"""Finding, loading and judging plugins.

``entries`` reads which plugins are installed and imports none, ``loading`` imports the one that
was asked for, ``judging`` looks at what it registered, and ``catalogue`` is what the rest of
erlconnect uses. Importing this package imports neither pydantic nor asyncio.
"""

from __future__ import annotations

from erlconnect.plugin_catalogue.catalogue import Catalogue
from erlconnect.plugin_catalogue.entries import CatalogueEntry
from erlconnect.plugin_catalogue.kinds import Kind
from erlconnect.plugin_catalogue.loading import PluginReport

__all__ = ["Catalogue", "CatalogueEntry", "Kind", "PluginReport"]
