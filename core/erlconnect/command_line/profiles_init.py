"""A first configuration file, made from what is on this machine: ``profiles init``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from erlconnect.api import SuggestsProfiles
from erlconnect.command_line.reporting import print_text
from erlconnect.configuration.places import user_file
from erlconnect.configuration.profile_keys import profile_name
from erlconnect.configuration.toml_text import toml_key, toml_value
from erlconnect.errors import ConfigurationError, ErlconnectError, UsageError
from erlconnect.plugin_catalogue import Catalogue, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlconnect.api import SuggestedProfile

_HEAD: Final = """\
# Profiles of erlconnect. `erlconnect profiles explain NAME` shows what holds for one,
# `erlconnect profiles check` looks for mistakes.

{default}
"""
_EXAMPLE: Final = """
# [profiles.staging]
# backend = "dns"
# cookie = { from = "env", name = "STAGING_COOKIE" }
# [profiles.staging.dns]
# server = "10.3.2.53"
"""


def init(config: Path | None, *, to_stdout: bool) -> None:
    """Write what is found to ``config``, or to the user's own file, where none is yet."""
    path = config or user_file(os.environ)
    if not to_stdout and path.exists():
        raise _there_is_one(path)
    text = _text(list(_found()))
    if to_stdout:
        typer.echo(text, nl=False)
        return
    _write(path, text)
    print_text(f"{path} is written; `erlconnect profiles` lists what is in it")


def _found() -> Iterator[tuple[str, SuggestedProfile]]:
    """Give what the backends see here, with the name of each; say what could not be looked at."""
    catalogue = Catalogue()
    for entry in catalogue.entries():
        if Kind.BACKEND not in catalogue.inspect(entry.name).offers:
            continue
        try:
            backend = _created(catalogue, entry.name)
            if isinstance(backend, SuggestsProfiles):
                with catalogue.blaming(Kind.BACKEND, entry.name, "suggested_profiles()"):
                    for one in backend.suggested_profiles(os.environ):
                        yield entry.name, one
        except ErlconnectError as error:
            typer.echo(f"note: {entry.name} was not looked at: {error.message}", err=True)


def _created(catalogue: Catalogue, name: str) -> object:

    settings = catalogue.settings(
        Kind.BACKEND, name, options={}, inherited={}, environment=os.environ
    )
    return catalogue.create(Kind.BACKEND, name, settings)


def _text(found: list[tuple[str, SuggestedProfile]]) -> str:

    names: list[str] = []
    parts: list[str] = []
    for backend, one in found:
        name = _free_name(one.name, names)
        names.append(name)
        table = toml_key(["profiles", name])
        why = "".join(letter if letter.isprintable() else " " for letter in one.why)
        parts.append(f'\n# {why}\n[{table}]\nbackend = "{backend}"\n')
        if one.settings:
            values = "".join(
                f"{toml_key([key])} = {toml_value(value)}\n" for key, value in one.settings.items()
            )
            parts.append(f"[{table}.{backend}]\n{values}")
    default = "default-profile = " + toml_value(names[0] if names else "NAME")
    head = _HEAD.format(default=default if len(names) == 1 else f"# {default}")
    return "".join([head, *(parts or [_EXAMPLE])])


def _free_name(wanted: str, taken: list[str]) -> str:
    """Give a name that a profile can have and that none has yet."""
    name = base = profile_name(wanted)
    number = 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if path.exists():  # Somebody made it just now.
            raise _there_is_one(path) from None
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}",
            remedy="Name another file with --config, or use --print.",
        ) from error


def _there_is_one(path: Path) -> UsageError:
    return UsageError(
        f"there is a file {path} already, and it stays as it is",
        remedy="`erlconnect profiles init --print` shows what would be written.",
    )
