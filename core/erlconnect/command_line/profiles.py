"""``erlconnect profiles``: which profiles there are, what they say, and where that is written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import typer

from erlconnect.command_line import (
    options,
    profiles_check,
    profiles_explain,
    profiles_init,
    profiles_schema,
)

if TYPE_CHECKING:
    from erlconnect.configuration.profiles import Profile, Profiles

_HELP: Final = """
List the profiles of the configuration files, and look into them.

Examples:

  erlconnect profiles init

  erlconnect profiles explain staging/my-service

  erlconnect profiles check
"""

group = typer.Typer(
    help=_HELP,
    invoke_without_command=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
group.command("show", help=profiles_explain.SHOW_HELP)(profiles_explain.show)
group.command("explain", help=profiles_explain.EXPLAIN_HELP)(profiles_explain.explain)
group.command("check", help=profiles_check.HELP)(profiles_check.check)
group.command("init", help=profiles_init.HELP)(profiles_init.init)
group.command("schema", help=profiles_schema.HELP)(profiles_schema.schema)


@group.callback()
def profiles(
    context: typer.Context,
    *,
    config: options.ConfigFile = None,
    as_json: options.Json = False,
) -> None:
    """List the profiles; the commands below look into one."""
    if context.invoked_subcommand:
        return
    from erlconnect.configuration.files import read_configuration  # noqa: PLC0415 - --help is quick

    known = read_configuration(config, environment=os.environ).profiles
    default = os.environ.get("ERLCONNECT_PROFILE") or known.default()
    rows = [_row(known, known.resolve(name), default) for name in known.names()]
    if as_json:
        from erlconnect.command_line.reporting import print_line  # noqa: PLC0415 - pydantic

        for row in rows:
            print_line({"schema": 1, "event": "profile", **row})
    elif rows:
        _print_table(rows)
    else:
        typer.echo("There is no profile yet; `erlconnect profiles init` makes a file.", err=True)


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
        typer.echo("  ".join([*padded, f"{row['file']}, line {row['line']}"]))


def _notes(row: dict[str, Any]) -> str:
    notes = ["default"] if row["default"] else []
    notes += [f"inherits {row['inherits'][0]}"] if row["inherits"] else []
    notes += ["asks first"] if row["confirm"] else []
    return ", ".join(notes)
