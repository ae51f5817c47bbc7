"""Which profiles there are, and what may be in them at all."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import typer

from erlconnect.command_line.reporting import print_line, print_text
from erlconnect.configuration.files import read_configuration
from erlconnect.plugin_catalogue import Catalogue
from erlconnect.plugin_catalogue.config_schema import config_schema

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.profile import Profile
    from erlconnect.configuration.profiles import Profiles


def list_profiles(config: Path | None, *, as_json: bool) -> None:
    """Show all profiles: as a table, or as JSON lines."""
    known = read_configuration(config, environment=os.environ).profiles
    default = os.environ.get("ERLCONNECT_PROFILE") or known.default()
    rows = [_row(known, known.resolve(name), default) for name in known.names()]
    if as_json:
        for row in rows:
            print_line({"schema": 1, "event": "profile", **row})
    elif rows:
        _print_table(rows)
    else:
        typer.echo("There is no profile yet; `erlconnect profiles init` makes a file.", err=True)


def print_schema() -> None:
    """Print the JSON schema of configuration files."""
    typer.echo(json.dumps(config_schema(Catalogue().inspect_all()), indent=2))


def _row(known: Profiles, profile: Profile, default: str | None) -> dict[str, Any]:
    backend, confirm = profile.get("backend"), profile.get("confirm")
    first = known.written(profile.name)
    return {
        "name": profile.name,
        "backend": str(backend.value) if backend else "",
        "inherits": list(profile.chain[1:]),
        "services": known.services(profile.name),
        "default": profile.name == default,
        "confirm": bool(confirm and confirm.value),
        "file": str(first.path),
        "line": first.line,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    cells = [(row["name"], row["backend"], _notes(row)) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    for row, columns in zip(rows, cells, strict=True):
        padded = (f"{cell:{width}}" for cell, width in zip(columns, widths, strict=True))
        print_text("  ".join([*padded, f"{row['file']}, line {row['line']}"]))


def _notes(row: dict[str, Any]) -> str:
    notes = ["default"] if row["default"] else []
    notes += [f"inherits {row['inherits'][0]}"] if row["inherits"] else []
    notes += ["asks first"] if row["confirm"] else []
    return ", ".join(notes)
