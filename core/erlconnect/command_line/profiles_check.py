"""Everything that is wrong with the configuration files: ``profiles check``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from erlconnect.command_line.reporting import print_line, print_text
from erlconnect.configuration.documents import read_document
from erlconnect.configuration.files import configuration_of, users_profiles
from erlconnect.configuration.places import places
from erlconnect.configuration.problems import ProblemError
from erlconnect.configuration.profiles import Profiles
from erlconnect.configuration.shape import shape_problems
from erlconnect.configuration.trust import untrusted_decisions
from erlconnect.errors import ExitCode
from erlconnect.plugin_catalogue import Catalogue
from erlconnect.plugin_catalogue.profile_problems import all_problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from erlconnect.configuration.documents import Document
    from erlconnect.configuration.problems import Problem


def check(config: Path | None, *, as_json: bool) -> ExitCode:
    """Show each mistake: as text, or as JSON lines. Gives the exit code."""
    documents, problems = look(config)
    for problem in problems:
        (_print_json if as_json else _print)(problem)
    if problems:
        return ExitCode.CONFIGURATION
    if not as_json:
        files = ", ".join(str(document.path) for document in documents)
        print_text(f"nothing is wrong with {files}" if files else "there is no configuration file")
    return ExitCode.DONE


def look(config: Path | None) -> tuple[Sequence[Document], Sequence[Problem]]:
    """Read the files, and find all that is wrong with them."""
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

    users = users_profiles(documents)
    untrusted = [one for one in documents if untrusted_decisions(one, users, os.environ)]
    for document in untrusted:
        typer.echo(f"note: {document.path} is not used until `erlconnect trust`", err=True)
    heeded = configuration_of([one for one in documents if one not in untrusted])
    return all_problems(Catalogue(prefer=heeded.prefer), Profiles(documents))


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
