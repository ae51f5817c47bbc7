"""Profiles: which there are, from which others they inherit, and in which tables they are written.

Order, best first: the service's tables before the profile's own, a profile before the one that it
inherits from, the project's file before the user's. Knows nothing of flags and variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.profile import OFFER_KEYS, merged
from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.configuration.toml_text import toml_key
from erlconnect.configuration.written import Written
from erlconnect.errors import UnknownProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from erlconnect.configuration.documents import Document
    from erlconnect.configuration.profile import Layer, Profile
    from erlconnect.configuration.toml_lines import KeyPath

_STRUCTURE: Final = ("inherits", "services")


class Profiles:
    """All profiles of some files, best file first."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def names(self) -> list[str]:
        """Give the names of all profiles, in the order of the alphabet."""
        return sorted({name for document in self._documents for name in _profiles(document)})

    def written(self, name: str) -> Written:
        """Give the table of a profile, in the file that wins."""
        document, path, table = next(self._tables([name]))
        return _written(document, path, table)

    def services(self, name: str) -> list[str]:
        """Give the names of the services that a profile or its ancestors have tables for."""
        tables = [table.get("services", {}) for _, _, table in self._tables(self.chain(name))]
        return sorted({service for services in tables for service in services})

    def default(self) -> str | None:
        """Give the name of the profile that is used where none is named.

        Raises ``ProblemError`` where there is no such profile.
        """
        for document in self._documents:
            value = document.content.get("default-profile")
            if value is not None:
                if value in self.names():
                    return str(value)
                written = _written(document, ("default-profile",), value)
                message = f"there is no profile {value!r}"
                raise written.problem(message, self._known(str(value))).error()
        return None

    def chain(self, name: str) -> list[str]:
        """Give a profile and those that it inherits from, nearest first.

        Raises ``UnknownProfileError`` for a name that is none, and ``ProblemError`` for an ancestor
        that is none, or where profiles inherit from each other in a circle.
        """
        if name not in self.names():
            raise self.unknown(name, f"there is no profile {name!r}")
        chain = [name]
        while parent := self._parent(chain[-1]):
            ancestor = str(parent.value)
            if ancestor in chain:
                circle = " -> ".join([*chain[chain.index(ancestor) :], ancestor])
                message = f"profiles inherit in a circle: {circle}"
                raise parent.problem(message, "Take one `inherits` out of it.").error()
            if ancestor not in self.names():
                message = f"there is no profile {ancestor!r} to inherit from"
                raise parent.problem(message, self._known(ancestor)).error()
            chain.append(ancestor)
        return chain

    def resolve(
        self, name: str, service: str = "", *, chosen: Mapping[str, str | None] | None = None
    ) -> Profile:
        """Give what holds for a profile and a service.

        ``chosen`` has the cookie source (``"cookie"``) and the transport (``"transport"``) that
        the command line names. Settings that are written for another one are left out.
        """
        chain = self.chain(name)
        return merged(name, service, chain, self._layers(chain, service), chosen or {})

    def unknown(self, name: str, message: str) -> UnknownProfileError:
        """Give the error for a name that is no profile's."""
        return UnknownProfileError(message, remedy=self._known(name))

    def _parent(self, name: str) -> Written | None:
        for document in self._documents:
            value = _profiles(document).get(name, {}).get("inherits")
            if value is not None:
                return _written(document, ("profiles", name, "inherits"), value)
        return None

    def _layers(self, chain: Sequence[str], service: str) -> list[Layer]:
        own = list(self._tables(chain))
        of_service = [
            (document, (*path, "services", service), table["services"][service])
            for document, path, table in own
            if service in table.get("services", {})
        ]
        return [
            dict(_values(document, path, table)) for document, path, table in [*of_service, *own]
        ]

    def _tables(self, chain: Sequence[str]) -> Iterator[tuple[Document, KeyPath, dict[str, Any]]]:
        for name in chain:
            for document in self._documents:
                if name in _profiles(document):
                    yield document, ("profiles", name), _profiles(document)[name]

    def _known(self, name: str) -> str:
        """Say which profile may be meant by ``name``, and which there are."""
        names = self.names()
        known = (
            f"There are: {', '.join(names)}." if names else "`erlconnect profiles init` makes one."
        )
        return f"{did_you_mean(name, names)}{known}"


def _profiles(document: Document) -> Mapping[str, dict[str, Any]]:
    profiles: Mapping[str, dict[str, Any]] = document.content.get("profiles", {})
    return profiles


def _values(
    document: Document, path: KeyPath, table: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, Written]]:
    for key, value in table.items():
        if key in _STRUCTURE:
            continue
        if isinstance(value, dict):
            for inner, setting in value.items():
                yield (key, inner), _written(document, (*path, key, inner), setting)
        elif key in OFFER_KEYS:
            yield (key, OFFER_KEYS[key]), _written(document, (*path, key), value)
        else:
            yield (key,), _written(document, (*path, key), value)


def _written(document: Document, keys: KeyPath, value: object) -> Written:
    return Written(
        value=value,
        path=document.path,
        scope=document.scope,
        line=document.line(*keys),
        table=toml_key(keys[:-1]),
    )
