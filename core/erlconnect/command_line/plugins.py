"""``erlconnect plugins``: what is installed, what it offers, and what is wrong with it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import typer

from erlconnect.command_line.output import print_line
from erlconnect.configuration.files import read_configuration
from erlconnect.configuration.settings import setting_fields
from erlconnect.plugin_manager import Catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from erlconnect.contract import Offer
    from erlconnect.plugin_manager import Kind, PluginReport


def list_plugins(name: str | None, config: Path | None, *, as_json: bool) -> None:
    """Print all plugins, or ``name`` with its settings.

    Raises ``UnknownPluginError`` for a name that nothing has.
    """
    configuration = read_configuration(config, environment=os.environ)
    catalogue = Catalogue(prefer=configuration.prefer)
    reports = [catalogue.inspect(name)] if name else catalogue.inspect_all()
    if as_json:
        _print_json(catalogue, reports)
    elif name:
        _print_one(reports[0])
    else:
        _print_table(catalogue, reports)


def _print_json(catalogue: Catalogue, reports: Sequence[PluginReport]) -> None:
    for report in reports:
        print_line(
            {
                "schema": 1,
                "event": "plugin",
                "name": report.entry.name,
                "distribution": report.entry.distribution,
                "version": report.entry.version,
                "built_in": report.entry.built_in,
                "offers": [
                    {"kind": str(kind), "summary": offer.summary, "settings": _settings(offer)}
                    for kind, offer in report.offers.items()
                ],
                "problems": list(report.problems),
            }
        )
    for problem in catalogue.problems:
        print_line({"schema": 1, "event": "warning", "message": problem})


def _settings(offer: Offer) -> list[dict[str, object]]:
    return [
        {
            "key": key,
            "description": field.description or "",
            "required": field.is_required(),
            # A required field has PydanticUndefined as its default, which has no form in JSON.
            "default": None if field.is_required() else _plain(field.get_default()),
        }
        for key, field in setting_fields(offer.settings).items()
    ]


def _print_table(catalogue: Catalogue, reports: Sequence[PluginReport]) -> None:
    rows = [
        (report.entry.name, str(kind), offer.summary, report.entry.origin)
        for report in reports
        for kind, offer in report.offers.items()
    ]
    # Where every plugin is broken there is no row, and max() needs a default.
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for name, kind, summary, origin in rows:
        typer.echo(
            f"{name:{widths[0]}}  {kind:{widths[1]}}  {summary:{widths[2]}}  {origin}".rstrip()
        )
    _print_problems(reports, catalogue.problems)


def _print_one(report: PluginReport) -> None:
    typer.echo(f"{report.entry.name}: {report.entry.origin}")
    for kind, offer in report.offers.items():
        typer.echo(f"\n{kind}: {offer.summary}")
        for setting in _settings(offer):
            default = "required" if setting["required"] else _shown_default(setting["default"])
            typer.echo(f"  {_option(kind, str(setting['key']))}  ({default})")
            typer.echo(f"      {setting['description']}")
    _print_problems([report], [])


def _plain(default: object) -> object:
    # Paths and enums have no form in JSON; their text has.
    return default if isinstance(default, (bool, int, type(None))) else str(default)


def _shown_default(default: object) -> str:
    if default is None or default == "":
        return "not set"
    return f"default {json.dumps(default)}"


def _option(kind: Kind, key: str) -> str:
    return f"-o {kind.option_prefix}{key}="


def _print_problems(reports: Iterable[PluginReport], others: Iterable[str]) -> None:
    for report in reports:
        for problem in report.problems:
            # On stderr, so that stdout has the list and nothing else.
            typer.echo(f"problem: {report.entry.origin}: {problem}", err=True)
    for problem in others:
        typer.echo(f"problem: {problem}", err=True)
