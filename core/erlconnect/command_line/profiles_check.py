"""``erlconnect profiles check``: everything that is wrong with the configuration files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer

from erlconnect.command_line import options
from erlconnect.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from erlconnect.configuration.documents import Document
    from erlconnect.configuration.problems import Problem


HELP: Final = """
Look for every mistake in the configuration files; the exit code is 78 if there is one.

Examples:

  erlconnect profiles check

  erlconnect profiles check --config erlconnect.toml --json
"""


def check(*, config: options.ConfigFile = None, as_json: options.Json = False) -> None:
    """Look for every mistake in the configuration files; exit code 78 if there is one."""
    documents, problems = look(config)
    for problem in problems:
        (_print_json if as_json else _print)(problem)
    if problems:
        raise typer.Exit(ExitCode.CONFIGURATION)
    if not as_json:
        files = ", ".join(str(document.path) for document in documents)
        typer.echo(f"nothing is wrong with {files}" if files else "there is no configuration file")


def look(config: Path | None) -> tuple[Sequence[Document], Sequence[Problem]]:
    """Read the files, and find all that is wrong with them."""
    from erlconnect.configuration.documents import read_document  # noqa: PLC0415 - --help is quick
    from erlconnect.configuration.places import places  # noqa: PLC0415
    from erlconnect.configuration.problems import ProblemError  # noqa: PLC0415
    from erlconnect.configuration.shape import shape_problems  # noqa: PLC0415

    documents: list[Document] = []
    problems: list[Problem] = []
    for place in places(config, environment=os.environ):
        try:
            document = read_document(place)
        except ProblemError as error:
            problems.append(error.problem)
            continue
        if document:
            documents.append(document)
            problems.extend(shape_problems(document))
    # What plugins say of values makes no sense before the values are where they belong.
    return documents, problems or _problems_of_values(documents)


def _problems_of_values(documents: Sequence[Document]) -> list[Problem]:
    from erlconnect.configuration.files import configuration_of, users_profiles  # noqa: PLC0415
    from erlconnect.configuration.profiles import Profiles  # noqa: PLC0415
    from erlconnect.configuration.trust import untrusted_decisions  # noqa: PLC0415
    from erlconnect.plugin_catalogue import Catalogue  # noqa: PLC0415
    from erlconnect.plugin_catalogue.profile_problems import all_problems  # noqa: PLC0415

    users = users_profiles(documents)
    untrusted = [one for one in documents if untrusted_decisions(one, users, os.environ)]
    for document in untrusted:
        typer.echo(f"note: {document.path} is not used until `erlconnect trust`", err=True)
    heeded = configuration_of([one for one in documents if one not in untrusted])
    return all_problems(Catalogue(prefer=heeded.prefer), Profiles(documents))


def _print(problem: Problem) -> None:
    typer.echo(f"{problem.where}: {problem.message}\n    {problem.remedy}")


def _print_json(problem: Problem) -> None:
    from erlconnect.command_line.reporting import print_line  # noqa: PLC0415 - pydantic

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
