"""``erlconnect trust``: show what a project's file decides, ask, and remember the answer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from erlconnect.command_line.output import print_text
from erlconnect.command_line.resolve import confirm
from erlconnect.configuration import trust
from erlconnect.configuration.files import read_document, read_documents, users_profiles
from erlconnect.configuration.paths import PROJECT_FILE, ConfigPath, Scope, project_file
from erlconnect.configuration.profile_schema import shape_problems
from erlconnect.configuration.settings import secret_keys
from erlconnect.configuration.toml import toml_key, toml_value
from erlconnect.errors import ConfigurationError
from erlconnect.plugin_manager import Catalogue
from erlconnect.plugin_manager.profiles import HIDDEN

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.files import Document


def trust_file(file: Path | None, *, yes: bool, no_input: bool) -> None:
    """Trust ``file``, or the nearest project's file, after showing it and asking."""
    path = _path(file)
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
    # By the digest of what was shown: the file may have changed while the user read it.
    trust.trust(document, os.environ)
    print_text(f"{path} is trusted until it changes")


def forget_file(file: Path | None) -> None:
    """Trust ``file``, or the nearest project's file, no longer."""
    path = _path(file)
    known = trust.forget(path, os.environ)
    print_text(f"{path} is trusted no longer" if known else f"{path} was not trusted")


def _path(file: Path | None) -> Path:
    path = file or project_file(os.environ)
    if path is None:
        raise ConfigurationError(
            f"there is no {PROJECT_FILE} here or in a folder above",
            remedy="Go into the project's folder, or name the file.",
        )
    return path


def _document(path: Path) -> Document:
    # A file that was named is judged by the same rules as one that was found.
    document = read_document(ConfigPath(path=path, scope=Scope.PROJECT))
    if document is None:
        raise ConfigurationError(f"there is no file {path}", remedy="Check the path.")
    # What a file decides can be listed only if its keys and types are right.
    for problem in shape_problems(document):
        raise problem.error()
    return document


def _show(document: Document) -> bool:
    """Show what ``document`` decides; ``False`` where it decides nothing that needs trust."""
    # What a project's file may do with a name depends on whether it is a profile of the user.
    users = users_profiles(read_documents(None, environment=os.environ))
    found = trust.decisions(document, users)
    if not found:
        print_text(f"{document.path} decides nothing that needs trust")
        return False
    print_text(f"{document.path} decides:")
    secret = _secret_keys()
    for one in found:
        value = HIDDEN if one.keys[-1] in secret else one.value
        print_text(f"  line {one.line}: {toml_key(one.keys)} = {toml_value(value)}")
    return True


def _secret_keys() -> set[str]:
    """Return the keys that hold a secret for any plugin.

    Which plugin a table is for is not resolved here, so a value is hidden if any plugin calls its
    key secret.
    """
    offers = [offer for report in Catalogue().inspect_all() for offer in report.offers.values()]
    return {key for offer in offers for key in secret_keys(offer.settings)}
