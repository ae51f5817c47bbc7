"""Finds what a name stands for, and says in words why it stands for nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.errors import PluginError, UnknownPluginError
from erlconnect.plugin_catalogue.blame import plugin_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Offer
    from erlconnect.plugin_catalogue.entries import CatalogueEntry
    from erlconnect.plugin_catalogue.kinds import Kind
    from erlconnect.plugin_catalogue.loading import PluginReport


def find(
    entries: Sequence[CatalogueEntry], name: str, *, even_refused: bool = False
) -> CatalogueEntry:
    """Give the entry that may be used under ``name``.

    Raises ``PluginError`` where every claim to the name was refused (``even_refused`` gives the
    first of them instead) and ``UnknownPluginError`` where nobody claims it.
    """
    claims = [entry for entry in entries if entry.name == name]
    usable = [entry for entry in claims if not entry.problem]
    if not claims:
        raise _unknown(entries, name)
    if usable or even_refused:
        return (usable or claims)[0]
    raise PluginError(
        f"The plugin {name!r} is not used: {claims[0].problem}",
        remedy=f'Choose one in the configuration file ([plugins] prefer = {{ {name} = "..." }}) '
        "or uninstall what you do not want; `erlconnect plugins` lists it.",
    )


def offered(report: PluginReport, kind: Kind) -> Offer:
    """Give what a plugin offers of ``kind``; the error says what it offers instead."""
    offer = report.offers.get(kind)
    if offer is not None:
        return offer
    if not report.offers and report.problems:
        raise plugin_error(report.entry, "; ".join(report.problems))
    kinds = " and a ".join(report.offers) or "plugin that only observes"
    raise UnknownPluginError(
        f"{report.entry.name!r} of {report.entry.origin} is a {kinds}, not a {kind}",
        remedy="`erlconnect plugins` lists what is installed.",
    )


def foreign_variables(
    entries: Sequence[CatalogueEntry], report: PluginReport, kind: Kind
) -> tuple[str, ...]:
    """Give beginnings of variables that look like the settings of this offer and are another's.

    They belong to plugins with a longer name (``consul-kv`` beside ``consul``) or to the other
    kinds that the same plugin offers.
    """
    from erlconnect.configuration.settings import setting_fields, variable_name  # noqa: PLC0415 - pydantic

    name = report.entry.name
    longer = [
        variable_name(entry.name, "") for entry in entries if entry.name.startswith(f"{name}-")
    ]
    other_kinds = [
        variable_name(name, key)
        for other, offer in report.offers.items()
        if other is not kind
        for key in setting_fields(offer.settings)
    ]
    return (*longer, *other_kinds)


def _unknown(entries: Sequence[CatalogueEntry], name: str) -> UnknownPluginError:
    usable = [entry.name for entry in entries if not entry.problem]
    return UnknownPluginError(
        f"Nothing that is installed is called {name!r}",
        remedy=f"{did_you_mean(name, usable)}`erlconnect plugins` lists what is installed.",
    )
