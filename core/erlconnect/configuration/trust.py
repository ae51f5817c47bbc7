"""Which project files are trusted, and what a file may say that is not.

Whoever connects lets the other node run code here, so a file that came with a repository decides
nothing before its owner has looked at it. The rule is a list of what is allowed; whatever is not on
it, today or later, needs trust.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erlconnect.configuration.paths import Scope, state_folder
from erlconnect.configuration.toml import toml_key
from erlconnect.errors import ConfigurationError, UntrustedFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from erlconnect.configuration.files import Document
    from erlconnect.configuration.toml import KeyPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One thing that a file decides and that needs trust."""

    keys: KeyPath
    value: object
    line: int | None


def decisions(document: Document, users_profiles: Collection[str]) -> list[Decision]:
    """Give what ``document`` says beyond choosing among the user's profiles and naming services."""
    return [
        Decision(keys=keys, value=value, line=document.line(*keys))
        for keys, value in _leaves((), document.content)
        if not _harmless(keys, value, users_profiles)
    ]


def untrusted_decisions(
    document: Document, users_profiles: Collection[str], environment: Mapping[str, str]
) -> list[Decision]:
    """Return what a project's file decides although nobody has trusted it."""
    if document.scope is not Scope.PROJECT or is_trusted(document, environment):
        return []
    return decisions(document, users_profiles)


def refuse_untrusted(
    document: Document, users_profiles: Collection[str], environment: Mapping[str, str]
) -> None:
    """Raise ``UntrustedFileError`` for a project's file that decides things and is not trusted."""
    found = untrusted_decisions(document, users_profiles, environment)
    if not found:
        return
    first = toml_key(found[0].keys)
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    changed = _record(document.path, environment).exists()
    state = "has changed since it was trusted" if changed else "is not trusted"
    raise UntrustedFileError(
        f"{document.where(*found[0].keys)}: this project file {state}, and decides {first}{more}",
        remedy="Look at it with `erlconnect trust`, which asks whether it may; "
        "`--config FILE` reads another file instead.",
    )


def is_trusted(document: Document, environment: Mapping[str, str]) -> bool:
    """Whether ``trust`` has seen this very content at this very place."""
    try:
        record = json.loads(_record(document.path, environment).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("sha256") == document.digest


def trust(document: Document, environment: Mapping[str, str]) -> None:
    """Remember the content of ``document``; what was trusted at its place before is forgotten.

    Raises ``ConfigurationError`` where it cannot be written down.
    """
    record = _record(document.path, environment)
    text = json.dumps({"path": str(_real(document.path)), "sha256": document.digest}, indent=2)
    draft = record.with_name(f"{record.name}.{secrets.token_hex(8)}")
    try:
        record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_text(f"{text}\n", encoding="utf-8")
        draft.replace(record)
    except OSError as error:
        raise ConfigurationError(
            f"It cannot be remembered in {record.parent} that the file is trusted: "
            f"{error.strerror}",
            remedy="Make that folder writable, or name another one with XDG_STATE_HOME.",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def forget(path: Path, environment: Mapping[str, str]) -> bool:
    """Trust the file at ``path`` no longer; ``False`` where it was not trusted anyway."""
    try:
        _record(path, environment).unlink()
    except FileNotFoundError:
        return False
    return True


def _harmless(keys: KeyPath, value: object, users_profiles: Collection[str]) -> bool:
    match keys:
        case ("default-profile",):
            return True
        case ("profiles", name):
            # An empty table. One that is called like a profile of the user changes nothing.
            return value == {}
        case ("profiles", name, "inherits"):
            # Under the name of a profile of the user it would turn that into another one.
            return name not in users_profiles
        case ("profiles", _, "confirm") | ("profiles", _, "services", _, "confirm"):
            return value is True
        case ("profiles", _, "services", _) | ("profiles", _, "services"):
            return value == {}
        case _:
            return False


def _leaves(keys: KeyPath, table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    """Return every value; of an empty table the table itself."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves((*keys, key), value)
        else:
            yield (*keys, key), value


def _record(path: Path, environment: Mapping[str, str]) -> Path:
    name = hashlib.sha256(os.fsencode(_real(path))).hexdigest()
    return state_folder(environment) / "trusted" / f"{name}.json"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
