"""The configuration files of one run together: which were read, and what all of them say.

A file that is wrong, or that decides things without being trusted, stops here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from erlconnect.configuration.documents import read_document
from erlconnect.configuration.places import Scope, places
from erlconnect.configuration.profiles import Profiles
from erlconnect.configuration.shape import shape_problems
from erlconnect.configuration.trust import refuse_untrusted
from erlconnect.errors import ErlconnectError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from erlconnect.configuration.documents import Document

# What files raise that nobody has judged.
_WRONG_FILES: Final = (ErlconnectError, TypeError, ValueError, AttributeError)


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
    """Read the files, the one that wins first, and judge nothing but TOML."""
    read = [read_document(place) for place in places(named, environment=environment)]
    return [document for document in read if document]


def configuration_of(documents: Sequence[Document]) -> Configuration:
    """Give what files say whose shape is right."""
    prefer: dict[str, str] = {}
    for document in reversed(documents):
        prefer |= document.content.get("plugins", {}).get("prefer", {})
    return Configuration(documents=tuple(documents), prefer=MappingProxyType(prefer))


def users_profiles(documents: Sequence[Document]) -> list[str]:
    """Give the names of the profiles that come from no project's file."""
    return Profiles([one for one in documents if one.scope is not Scope.PROJECT]).names()


def profile_names(environment: Mapping[str, str], named: Path | None = None) -> list[str]:
    """Give what may stand behind ``-p``, for completion: quick, and never an error."""
    with suppress(*_WRONG_FILES):
        return Profiles(read_documents(named, environment=environment)).names()
    return []


def service_names(
    profile: str, environment: Mapping[str, str], named: Path | None = None
) -> list[str]:
    """Give the services that have a table in ``profile``, for completion as well."""
    with suppress(*_WRONG_FILES):
        return Profiles(read_documents(named, environment=environment)).services(profile)
    return []
