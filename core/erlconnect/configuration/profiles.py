"""Profiles: which there are, from which others they inherit, and which value of several holds.

Order, best first: the service's tables before the profile's own, a profile before the one that it
inherits from, the project's file before the user's. Knows nothing of flags and variables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.configuration.toml_text import toml_key
from erlconnect.configuration.written import Written
from erlconnect.errors import UnknownProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from erlconnect.configuration.documents import Document
    from erlconnect.configuration.toml_lines import KeyPath

# The key that names an offer, in the table of its settings.
OFFER_KEYS: Final = {"cookie": "from", "transport": "name"}
_STRUCTURE: Final = ("inherits", "services")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What holds for one profile, and for one service of it where ``service`` names one.

    ``stacks`` has all that is written for a key, best first: the first one holds. ``unused`` are
    settings that belong to another cookie source or transport than the one that is chosen.
    """

    name: str
    service: str
    chain: Sequence[str]
    stacks: Mapping[KeyPath, Sequence[Written]]
    unused: Mapping[KeyPath, Sequence[Written]]

    def get(self, *keys: str) -> Written | None:
        """Give the value that holds for a key."""
        stack = self.stacks.get(keys)
        return stack[0] if stack else None

    def table(self, name: str) -> dict[str, Written]:
        """Give the settings in a table, without the key that names the offer."""
        return {
            keys[1]: stack[0]
            for keys, stack in self.stacks.items()
            if len(keys) > 1 and keys[0] == name and keys[1] != OFFER_KEYS.get(name)
        }

    def tables(self) -> list[str]:
        """Give the names of all tables with settings."""
        return list(dict.fromkeys(keys[0] for keys in self.stacks if len(keys) > 1))


NO_PROFILE: Final = Profile(name="", service="", chain=(), stacks={}, unused={})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """The values of one table of one file, by key."""

    values: Mapping[KeyPath, Written]

    def offer(self, kind: str) -> object:
        """Give the name of the cookie source or transport that is named here."""
        named = self.values.get((kind, OFFER_KEYS[kind]))
        return named.value if named else None


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
        layers = self._layers(chain, service)
        stacks: dict[KeyPath, list[Written]] = {}
        unused: dict[KeyPath, list[Written]] = {}
        fitting = {kind: _fitting(layers, kind, (chosen or {}).get(kind)) for kind in OFFER_KEYS}
        for number, layer in enumerate(layers):
            for keys, written in layer.values.items():
                setting = keys[0] in OFFER_KEYS and keys[1] != OFFER_KEYS[keys[0]]
                fits = not setting or number in fitting[keys[0]]
                (stacks if fits else unused).setdefault(keys, []).append(written)
        return Profile(name=name, service=service, chain=chain, stacks=stacks, unused=unused)

    def unknown(self, name: str, message: str) -> UnknownProfileError:
        """Give the error for a name that is no profile's."""
        return UnknownProfileError(message, remedy=self._known(name))

    def _parent(self, name: str) -> Written | None:
        for document in self._documents:
            value = _profiles(document).get(name, {}).get("inherits")
            if value is not None:
                return _written(document, ("profiles", name, "inherits"), value)
        return None

    def _layers(self, chain: Sequence[str], service: str) -> list[_Layer]:
        own = list(self._tables(chain))
        of_service = [
            (document, (*path, "services", service), table["services"][service])
            for document, path, table in own
            if service in table.get("services", {})
        ]
        return [
            _Layer(values=dict(_values(document, path, table)))
            for document, path, table in [*of_service, *own]
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


def _fitting(layers: Sequence[_Layer], kind: str, chosen: str | None) -> set[int]:
    """Give the numbers of the layers whose settings are for the offer that is in force.

    A layer's settings are for the offer that it names, else for the one named next below it; where
    nothing below names any, they are for whichever is chosen.
    """
    named = [layer.offer(kind) for layer in layers]
    meant = [next((one for one in named[number:] if one), None) for number in range(len(named))]
    in_force = chosen or next((one for one in named if one), None)
    return {number for number, offer in enumerate(meant) if offer in (None, in_force)}


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
