"""Runs the backend and the cookie source as a session does; what the tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.configuration.settings import resolve_settings
from erlconnect_backends.railway import plugin
from erlconnect_backends.railway.backend import RailwayBackend
from erlconnect_backends.railway.plugin import (
    RailwaySettings,
    RailwayVariables,
    RailwayVariablesSettings,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Target

ZONE = """
shop   AAAA fd12:77::3
shop   AAAA fd12:77::1
shop   AAAA fd12:77::2
both   AAAA fd12:77::1
both   A    10.77.0.1
four   A    10.77.0.2
empty  TXT  "no deployment runs"
"""
DOMAIN = "railway.internal"


def backend(**options: str) -> RailwayBackend:
    (offer,) = plugin.RailwayPlugin.erlconnect_backends()
    settings = resolve_settings(offer, options=options, inherited={}, environment={})
    assert isinstance(settings, RailwaySettings)
    return RailwayBackend(settings)


def cookie_source(**options: str) -> RailwayVariables:
    (offer,) = plugin.RailwayVariablesPlugin.erlconnect_cookie_sources()
    settings = resolve_settings(offer, options=options, inherited={}, environment={})
    assert isinstance(settings, RailwayVariablesSettings)
    return RailwayVariables(settings)


def places(found: Sequence[Target]) -> list[tuple[str, str, int | None]]:
    return [(str(each.node), each.address, each.dist_port) for each in found]
