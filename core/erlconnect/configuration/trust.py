"""Which project files are trusted, and what a file may decide without being trusted.

A connection lets the other node run code on this machine. So a file that came with a repository
decides nothing before the user has looked at it. The rule lists what is allowed; everything that is
not on the list needs trust. A record below the state folder keeps the digest of each trusted file.
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
    """One value in a file that needs trust."""

    keys: KeyPath
    value: object
    line: int | None


def decisions(document: Document, users_profiles: Collection[str]) -> list[Decision]:
    """Return what ``document`` decides beyond choosing a profile and naming services."""
    return [
        Decision(keys=keys, value=value, line=document.line(*keys))
        for keys, value in _leaves((), document.content)
        if not _harmless(keys, value, users_profiles)
    ]


def untrusted_decisions(
    document: Document, users_profiles: Collection[str], environment: Mapping[str, str]
) -> list[Decision]:
    """Return what a project's file decides without being trusted; nothing for other files."""
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
    """Return whether this content was trusted at this path."""
    try:
        record = json.loads(_record(document.path, environment).read_text(encoding="utf-8"))
    # A record that is broken trusts nothing.
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("sha256") == document.digest


def trust(document: Document, environment: Mapping[str, str]) -> None:
    """Trust ``document`` as it is now, instead of an earlier content at its path.

    Raises ``ConfigurationError`` where the record cannot be written.
    """
    record = _record(document.path, environment)
    text = json.dumps({"path": str(_real(document.path)), "sha256": document.digest}, indent=2)
    # Written beside the record and renamed, so that a crash leaves no half record.
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
    """Trust the file at ``path`` no longer; return whether it was trusted."""
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
            # An empty table changes nothing, even if the user has a profile of that name.
            return value == {}
        case ("profiles", name, "inherits"):
            # In a profile of the user it would replace what that inherits from.
            return name not in users_profiles
        case ("profiles", _, "confirm") | ("profiles", _, "services", _, "confirm"):
            # A question more is harmless; `false` could take one away.
            return value is True
        case ("profiles", _, "services", _) | ("profiles", _, "services"):
            return value == {}
        case _:
            return False


def _leaves(keys: KeyPath, table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    """Yield every value with its path; of an empty table the table itself."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves((*keys, key), value)
        else:
            yield (*keys, key), value


def _record(path: Path, environment: Mapping[str, str]) -> Path:
    name = hashlib.sha256(os.fsencode(_real(path))).hexdigest()
    return state_folder(environment) / "trusted" / f"{name}.json"


def _real(path: Path) -> Path:
    # One file has one record, by whichever path it is reached.
    return Path(os.path.realpath(path))
