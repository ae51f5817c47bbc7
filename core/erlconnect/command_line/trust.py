"""``erlconnect trust``: let a project's file decide, after a look at what it says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from erlconnect.command_line import options
from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from erlconnect.configuration.documents import Document

HELP = """
Trust a project's erlconnect.toml, until it changes.

Until then such a file chooses among your own profiles and names services, and no more: whoever
connects lets the other node run code on this machine.

Examples:

  erlconnect trust

  erlconnect trust ../erlconnect.toml --yes

  erlconnect trust --forget
"""


def trust(
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="Default: the nearest erlconnect.toml.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Trust it no longer.")] = False,
    no_input: options.NoInput = False,
) -> None:
    """Show what a project's file decides, ask, and remember the answer."""
    from erlconnect.command_line.asking import confirm  # noqa: PLC0415 - --help is quick
    from erlconnect.configuration import trust as trusting  # noqa: PLC0415

    path = _path(file)
    if forget:
        known = trusting.forget(path, os.environ)
        typer.echo(f"{path} is trusted no longer" if known else f"{path} was not trusted")
        return
    document = _document(path)
    if not _show(document):
        return
    if not yes:
        confirm(
            "Trust it with that, until it changes?",
            asked_by="erlconnect trust",
            remedy="Add --yes after you have looked at it.",
            no_input=no_input,
        )
    trusting.trust(document, os.environ)
    typer.echo(f"{path} is trusted until it changes")


def _path(file: Path | None) -> Path:
    from erlconnect.configuration.places import PROJECT_FILE, project_file  # noqa: PLC0415

    path = file or project_file(os.environ)
    if path is None:
        raise ConfigurationError(
            f"there is no {PROJECT_FILE} here or in a folder above",
            remedy="Go into the project's folder, or name the file.",
        )
    return path


def _document(path: Path) -> Document:
    from erlconnect.configuration.documents import read_document  # noqa: PLC0415
    from erlconnect.configuration.places import Place, Scope  # noqa: PLC0415
    from erlconnect.configuration.shape import shape_problems  # noqa: PLC0415

    document = read_document(Place(path=path, scope=Scope.PROJECT))
    if document is None:
        raise ConfigurationError(f"there is no file {path}", remedy="Check the path.")
    for problem in shape_problems(document):
        raise problem.error()
    return document


def _show(document: Document) -> bool:
    """Show what ``document`` decides; ``False`` where it decides nothing that needs trust."""
    from erlconnect.configuration.files import read_documents, users_profiles  # noqa: PLC0415
    from erlconnect.configuration.toml_text import toml_key, toml_value  # noqa: PLC0415
    from erlconnect.configuration.trust import decisions  # noqa: PLC0415

    users = users_profiles(read_documents(None, environment=os.environ))
    found = decisions(document, users)
    if not found:
        typer.echo(f"{document.path} decides nothing that needs trust")
        return False
    typer.echo(f"{document.path} decides:")
    for one in found:
        typer.echo(f"  line {one.line}: {toml_key(one.keys)} = {toml_value(one.value)}")
    return True
