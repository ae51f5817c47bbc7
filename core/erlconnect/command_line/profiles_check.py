"""``erlconnect profiles check`` finds mistakes; ``profiles init`` writes a first file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from erlconnect.command_line.output import print_line, print_text
from erlconnect.configuration.files import configuration_of, read_document, users_profiles
from erlconnect.configuration.paths import config_paths, user_file
from erlconnect.configuration.problems import ProblemError
from erlconnect.configuration.profile_schema import profile_name, shape_problems
from erlconnect.configuration.profiles import Profiles
from erlconnect.configuration.toml import toml_key, toml_value
from erlconnect.configuration.trust import untrusted_decisions
from erlconnect.contract import SuggestsProfiles
from erlconnect.errors import ConfigurationError, ErlconnectError, ExitCode, UsageError
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.plugin_manager.profiles import all_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from erlconnect.configuration.files import Document
    from erlconnect.configuration.problems import Problem
    from erlconnect.contract import SuggestedProfile


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


def check_profiles(config: Path | None, *, as_json: bool) -> ExitCode:
    """Print each mistake: as text, or as JSON lines. Return the exit code."""
    documents, problems = find_problems(config)
    for problem in problems:
        (_print_json if as_json else _print)(problem)
    if problems:
        return ExitCode.CONFIGURATION
    if not as_json:
        files = ", ".join(str(document.path) for document in documents)
        print_text(f"nothing is wrong with {files}" if files else "there is no configuration file")
    return ExitCode.DONE


def find_problems(config: Path | None) -> tuple[Sequence[Document], Sequence[Problem]]:
    """Return the files that could be read, and all problems in them."""
    documents: list[Document] = []
    problems: list[Problem] = []
    for place in config_paths(config, environment=os.environ):
        try:
            document = read_document(place)
        except ProblemError as error:
            problems.append(error.problem)
            continue
        if document:
            documents.append(document)
            problems.extend(shape_problems(document))
    # Plugins can validate their settings only when these stand in the right tables.
    return documents, problems or _value_problems(documents)


def _value_problems(documents: Sequence[Document]) -> list[Problem]:
    users = users_profiles(documents)
    untrusted = [one for one in documents if untrusted_decisions(one, users, os.environ)]
    for document in untrusted:
        typer.echo(f"note: {document.path} is not used until `erlconnect trust`", err=True)
    configuration = configuration_of([one for one in documents if one not in untrusted])
    return all_problems(Catalogue(prefer=configuration.prefer), Profiles(documents))


def _print(problem: Problem) -> None:
    print_text(f"{problem.where}: {problem.message}\n    {problem.remedy}")


def _print_json(problem: Problem) -> None:
    print_line(
        {
            "schema": 1,
            "event": "problem",
            "file": str(problem.path),
            "line": problem.line,
            "message": problem.message,
            "remedy": problem.remedy,
        }
    )


def init_profiles(config: Path | None, *, to_stdout: bool) -> None:
    """Write the suggested profiles to ``config``, else to the user's own file.

    Raises ``UsageError`` where that file exists.
    """
    path = config or user_file(os.environ)
    # Checked first, so that no plugin is imported for nothing; ``_write`` checks again.
    if not to_stdout and path.exists():
        raise _exists_error(path)
    text = _text(list(_suggestions()))
    if to_stdout:
        typer.echo(text, nl=False)
        return
    _write(path, text)
    print_text(f"{path} is written; `erlconnect profiles` lists what is in it")


def _suggestions() -> Iterator[tuple[str, SuggestedProfile]]:
    """Yield the profiles that backends suggest, each with its backend; note backends that fail."""
    catalogue = Catalogue()
    for entry in catalogue.entries():
        if Kind.BACKEND not in catalogue.inspect(entry.name).offers:
            continue
        try:
            backend = _created(catalogue, entry.name)
            if isinstance(backend, SuggestsProfiles):
                with catalogue.attribute_errors(Kind.BACKEND, entry.name, "suggested_profiles()"):
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
        # A comment ends at a line break, and TOML allows no control characters in it.
        why = "".join(letter if letter.isprintable() else " " for letter in one.why)
        parts.append(f'\n# {why}\n[{table}]\nbackend = "{backend}"\n')
        if one.settings:
            values = "".join(
                f"{toml_key([key])} = {toml_value(value)}\n" for key, value in one.settings.items()
            )
            parts.append(f"[{table}.{backend}]\n{values}")
    # Of several profiles the user has to choose one, so the line is a comment then.
    default = "default-profile = " + toml_value(names[0] if names else "NAME")
    head = _HEAD.format(default=default if len(names) == 1 else f"# {default}")
    return "".join([head, *(parts or [_EXAMPLE])])


def _free_name(wanted: str, taken: list[str]) -> str:
    """Return a valid name like ``wanted`` that is not in ``taken``."""
    # Two backends may suggest the same name.
    name = base = profile_name(wanted)
    number = 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file that appears meanwhile is not overwritten.
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if path.exists():  # Created since the check above.
            raise _exists_error(path) from None
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror}",
            remedy="Name another file with --config, or use --print.",
        ) from error


def _exists_error(path: Path) -> UsageError:
    return UsageError(
        f"there is a file {path} already, and it stays as it is",
        remedy="`erlconnect profiles init --print` shows what would be written.",
    )
