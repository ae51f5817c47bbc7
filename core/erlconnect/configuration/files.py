"""Reading the configuration files: their bytes, their TOML, and all of them together.

``read_configuration`` is what commands call: it stops at a file that has mistakes, and at a
project's file that decides things without being trusted. Completion reads names only, and ignores
errors.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.paths import Scope, config_paths
from erlconnect.configuration.problems import Problem, written_where
from erlconnect.configuration.profile_schema import shape_problems
from erlconnect.configuration.profiles import Profiles
from erlconnect.configuration.toml import key_lines
from erlconnect.configuration.trust import refuse_untrusted
from erlconnect.errors import ErlconnectError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from erlconnect.configuration.paths import ConfigPath
    from erlconnect.configuration.problems import ProblemError
    from erlconnect.configuration.toml import KeyPath

# A device, or the path of something else, must not fill the memory.
_MAX_BYTES: Final = 1024 * 1024
# Before Python 3.14 the error of tomllib has the line in its text only.
_TOML_PLACE: Final = re.compile(r" \(at (line (?P<line>\d+), column \d+|end of document)\)$")
# What reading names out of files can raise before their shape was checked.
_FILE_ERRORS: Final = (ErlconnectError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file that was read. ``digest`` is the SHA-256 of the bytes that ``content`` came from."""

    path: Path
    scope: Scope
    content: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    digest: str

    def line(self, *keys: str) -> int | None:
        """Return the line of a key, else that of the table around it."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return None

    def where(self, *keys: str) -> str:
        """Return the file and the line of a key, for people."""
        return written_where(self.path, self.line(*keys))

    def problem(self, keys: KeyPath, message: str, remedy: str) -> Problem:
        """Return a problem at the line of a key."""
        return Problem(path=self.path, line=self.line(*keys), message=message, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the configuration files say.

    ``prefer`` maps the name of a plugin to the distribution that shall provide it.
    """

    documents: Sequence[Document] = ()
    prefer: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def profiles(self) -> Profiles:
        """The profiles of all files."""
        return Profiles(self.documents)


def read_configuration(named: Path | None, *, environment: Mapping[str, str]) -> Configuration:
    """Read the file of ``--config``, else of ``ERLCONNECT_CONFIG``, else the project's and user's.

    A file that was named has to be there; the others may be missing. Raises
    ``ConfigurationError`` with the line where one is known, and ``UntrustedFileError`` for a
    project's file that needs to be trusted first.
    """
    documents = read_documents(named, environment=environment)
    for document in documents:
        for problem in shape_problems(document):
            raise problem.error()
    users = users_profiles(documents)
    for document in documents:
        refuse_untrusted(document, users, environment)
    return configuration_of(documents)


def read_documents(named: Path | None, *, environment: Mapping[str, str]) -> list[Document]:
    """Read the files, the best first. Raises ``ConfigurationError`` where TOML is broken."""
    read = [read_document(path) for path in config_paths(named, environment=environment)]
    return [document for document in read if document]


def configuration_of(documents: Sequence[Document]) -> Configuration:
    """Return the configuration of files that ``shape_problems`` has found right."""
    prefer: dict[str, str] = {}
    # The best file comes last, and replaces what the others have.
    for document in reversed(documents):
        prefer |= document.content.get("plugins", {}).get("prefer", {})
    return Configuration(documents=tuple(documents), prefer=MappingProxyType(prefer))


def users_profiles(documents: Sequence[Document]) -> list[str]:
    """Return the names of the profiles that come from no project's file."""
    return Profiles([one for one in documents if one.scope is not Scope.PROJECT]).names()


def profile_names(environment: Mapping[str, str], named: Path | None = None) -> list[str]:
    """Return the names of profiles for completion: quickly, and without an error."""
    with suppress(*_FILE_ERRORS):
        return Profiles(read_documents(named, environment=environment)).names()
    return []


def service_names(
    profile: str, environment: Mapping[str, str], named: Path | None = None
) -> list[str]:
    """Return the services that have a table in ``profile``, for completion."""
    with suppress(*_FILE_ERRORS):
        return Profiles(read_documents(named, environment=environment)).services(profile)
    return []


def read_document(source: ConfigPath) -> Document | None:
    """Read the file at ``source``; ``None`` if it does not exist and was not named.

    Raises ``ConfigurationError``, with the line where TOML itself is broken.
    """
    data = _read(source)
    if data is None:
        return None
    text = _decoded(source.path, data)
    try:
        content, lines = tomllib.loads(text), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid_toml(source.path, text, str(error)).error() from None
    # tomllib parses nested arrays by recursion.
    except RecursionError:
        raise _unreadable(source.path, "its brackets are nested too deeply") from None
    return Document(
        path=source.path,
        scope=source.scope,
        content=content,
        lines=lines,
        digest=hashlib.sha256(data).hexdigest(),
    )


def _read(source: ConfigPath) -> bytes | None:
    try:
        with source.path.open("rb") as file:
            # One byte more shows whether there is more.
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError as error:
        if source.scope is Scope.NAMED:
            raise _unreadable(source.path, "there is no such file") from error
        return None
    except OSError as error:
        raise _unreadable(source.path, str(error.strerror)) from error
    if len(data) > _MAX_BYTES:
        raise _unreadable(source.path, f"it is longer than {_MAX_BYTES} bytes")
    return data


def _decoded(path: Path, data: bytes) -> str:
    try:
        # Editors on Windows write a byte order mark and CRLF. Without this, tomllib and
        # ``key_lines`` would count lines differently.
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is not UTF-8 after {error.start} bytes") from error


def _invalid_toml(path: Path, text: str, error: str) -> Problem:
    """Return the problem with its line, without the column."""
    found = _TOML_PLACE.search(error)
    last = text.count("\n") + 1
    return Problem(
        path=path,
        line=int(found["line"]) if found and found["line"] else last,
        message=f"this is not TOML: {_TOML_PLACE.sub('', error)}",
        remedy="Correct that line.",
    )


def _unreadable(path: Path, reason: str) -> ProblemError:
    message = f"this configuration file cannot be read: {reason}"
    remedy = "Correct it, or name another one with --config."
    return Problem(path=path, line=None, message=message, remedy=remedy).error()
