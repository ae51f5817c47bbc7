"""What the name ``command`` offers: a cookie source and a transport, under one entry point."""

from __future__ import annotations

from erlconnect_plugins.cookies.command import erlconnect_cookie_sources
from erlconnect_plugins.transports.command import erlconnect_transports

__all__ = ["erlconnect_cookie_sources", "erlconnect_transports"]
