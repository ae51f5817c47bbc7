"""``erlconnect profiles``: which profiles there are, and what holds for one and why.

``check`` and ``init`` are in ``profiles_check``.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import typer

from erlconnect.command_line.output import print_line, print_text
from erlconnect.configuration.files import read_configuration
from erlconnect.configuration.toml import toml_key, toml_value
from erlconnect.plugin_manager import Catalogue
from erlconnect.plugin_manager.profiles import config_schema, problems
from erlconnect.plugin_manager.profiles import explain as explain_values

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.problems import ConfigValue
    from erlconnect.configuration.profiles import Profile, Profiles
    from erlconnect.plugin_manager.profiles import Explanation


def list_profiles(config: Path | None, *, as_json: bool) -> None:
    """Print all profiles: as a table, or as JSON lines."""
    known = read_configuration(config, environment=os.environ).profiles
    # The variable wins over the files, as it does for a session.
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
    definition = known.definition(profile.name)
    return {
        "name": profile.name,
        "backend": str(backend.value) if backend else "",
        "inherits": list(profile.chain[1:]),
        "services": known.services(profile.name),
        "default": profile.name == default,
        "confirm": bool(confirm and confirm.value),
        "file": str(definition.path),
        "line": definition.line,
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


def show_profile(name: str, config: Path | None, *, as_json: bool) -> None:
    """Print the values that hold for ``NAME[/SERVICE]``: as TOML, or as a JSON object."""
    profile, explained = _explained(name, config)
    used = [one for one in explained if not one.unused]
    if as_json:
        values: dict[str, Any] = {}
        for one in used:
            table = values.setdefault(one.keys[0], {}) if len(one.keys) > 1 else values
            table[one.keys[-1]] = one.sources[0].value
        _print_json("profile-values", profile, values)
        return
    print_text(f"# {_title(profile)}")
    for one in used:
        print_text(f"{toml_key(one.keys)} = {toml_value(one.sources[0].value)}")


def explain_profile(name: str, config: Path | None, *, as_json: bool) -> None:
    """Print each value with its sources: as text, or as a JSON object."""
    profile, explained = _explained(name, config)
    if as_json:
        _print_json("profile-explained", profile, [_json(one) for one in explained])
        return
    print_text(_title(profile))
    for one in explained:
        print_text(f"\n{_text(one)}")


def _explained(name: str, config: Path | None) -> tuple[Profile, list[Explanation]]:
    """Return a valid profile with all its values. Raises ``ProblemError`` for its first mistake."""
    configuration = read_configuration(config, environment=os.environ)
    catalogue = Catalogue(prefer=configuration.prefer)
    # No name of a profile has a slash, so the rest is that of a service.
    before, _, after = name.partition("/")
    profile = configuration.profiles.resolve(before, after)
    # The first one is enough to stop; `profiles check` lists all.
    for problem in problems(catalogue, profile):
        raise problem.error()
    return profile, explain_values(catalogue, profile, os.environ)


def _title(profile: Profile) -> str:
    whole = f"{profile.name}/{profile.service}" if profile.service else profile.name
    # The chain begins with the profile itself.
    ancestors = ", then ".join(profile.chain[1:])
    return f"{whole} inherits from {ancestors}" if ancestors else whole


def _text(one: Explanation) -> str:
    first, *others = one.sources
    lines = [f"{toml_key(one.keys)} = {toml_value(first.value)}", f"    {_place(first)}"]
    lines += [f"    over {toml_value(other.value)} of {_place(other)}" for other in others]
    lines += [f"    not used: {one.unused}"] if one.unused else []
    return "\n".join(lines)


def _place(source: ConfigValue) -> str:
    # Only a value in a file stands in a table.
    return source.where if source.variable else f"{source.where} ({source.table})"


def _print_json(event: str, profile: Profile, values: object) -> None:
    print_line(
        {
            "schema": 1,
            "event": event,
            "name": profile.name,
            "service": profile.service,
            "inherits": list(profile.chain[1:]),
            "values": values,
        }
    )


def _json(one: Explanation) -> dict[str, Any]:
    first, *others = one.sources
    return {
        "key": list(one.keys),
        **_json_source(first),
        "over": [_json_source(other) for other in others],
        "unused": one.unused,
    }


def _json_source(source: ConfigValue) -> dict[str, Any]:
    return {
        "value": source.value,
        "variable": source.variable,
        "file": str(source.path or ""),
        "line": source.line,
        "table": source.table,
    }
