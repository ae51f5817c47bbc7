"""Finding, loading and validating plugins.

``loading`` reads which plugins are installed and imports the one that was asked for, ``validation``
checks what it registered, ``profiles`` checks the configuration files with it, and ``catalogue`` is
what the rest of erlconnect uses. Importing this package imports neither pydantic nor asyncio.
"""

from __future__ import annotations

from erlconnect.plugin_manager.catalogue import Catalogue
from erlconnect.plugin_manager.loading import CatalogueEntry, PluginReport
from erlconnect.plugin_manager.validation import Kind

__all__ = ["Catalogue", "CatalogueEntry", "Kind", "PluginReport"]
