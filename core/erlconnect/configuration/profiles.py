"""One profile as it holds: which of several values wins, and which mean nothing here.

Knows values with their places, best first, and refuses to know the files that they come from.

Profiles: which there are, from which others they inherit, and in which tables they are written.

Order, best first: the service's tables before the profile's own, a profile before the one that it
inherits from, the project's file before the user's. Knows nothing of flags and variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from erlconnect.configuration.problems import ConfigValue, did_you_mean
from erlconnect.configuration.toml import KeyPath, toml_key
from erlconnect.errors import UnknownProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.configuration.files import Document

# The key that names an offer, in the table of its settings.
OFFER_KEYS: Final = {"cookie": "from", "transport": "name"}
# Whatever the transport: they say how the node speaks. ``tls_settings``, which is slow to import,
# declares them.
OF_ANY_TRANSPORT: Final = frozenset({"tls-ca", "tls-cert", "tls-key", "tls-server-name"})
# The values of one table of one file.
Layer: TypeAlias = Mapping[KeyPath, ConfigValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What holds for one profile, and for one service of it where ``service`` names one.

    ``stacks`` has all that is written for a key, best first: the first one holds. ``unused`` are
    settings that belong to another cookie source or transport than the one that is chosen.
    """

    name: str
    service: str
    chain: Sequence[str]
    stacks: Mapping[KeyPath, Sequence[ConfigValue]]
    unused: Mapping[KeyPath, Sequence[ConfigValue]]

    def get(self, *keys: str) -> ConfigValue | None:
        """Return the value that holds for a key."""
        stack = self.stacks.get(keys)
        return stack[0] if stack else None

    def table(self, name: str) -> dict[str, ConfigValue]:
        """Return the settings in a table, without the key that names the offer."""
        return {
            keys[1]: stack[0]
            for keys, stack in self.stacks.items()
            if len(keys) > 1 and keys[0] == name and keys[1] != OFFER_KEYS.get(name)
        }

    def tables(self) -> list[str]:
        """Return the names of all tables with settings."""
        return list(dict.fromkeys(keys[0] for keys in self.stacks if len(keys) > 1))


NO_PROFILE: Final = Profile(name="", service="", chain=(), stacks={}, unused={})


def merged(
    name: str,
    service: str,
    chain: Sequence[str],
    layers: Sequence[Layer],
    chosen: Mapping[str, str | None],
) -> Profile:
    """Return what holds of ``layers``, which are best first; ``chosen`` as ``Profiles.resolve``."""
    stacks: dict[KeyPath, list[ConfigValue]] = {}
    unused: dict[KeyPath, list[ConfigValue]] = {}
    fitting = {kind: _fitting(layers, kind, chosen.get(kind)) for kind in OFFER_KEYS}
    for number, layer in enumerate(layers):
        for keys, written in layer.items():
            fits = not _of_one_offer(keys) or number in fitting[keys[0]]
            (stacks if fits else unused).setdefault(keys, []).append(written)
    return Profile(name=name, service=service, chain=chain, stacks=stacks, unused=unused)


def _of_one_offer(keys: KeyPath) -> bool:
    """Whether this is a setting of one cookie source or transport, and of no other."""
    if keys[0] not in OFFER_KEYS or keys[1] == OFFER_KEYS[keys[0]]:
        return False
    return keys[0] != "transport" or keys[1] not in OF_ANY_TRANSPORT


def _fitting(layers: Sequence[Layer], kind: str, chosen: str | None) -> set[int]:
    """Return the numbers of the layers whose settings are for the offer that is in force.

    A layer's settings are for the offer that it names, else for the one named next below it; where
    nothing below names any, they are for whichever is chosen.
    """
    named = [_value(layer, kind, OFFER_KEYS[kind]) for layer in layers]
    meant = [next((one for one in named[number:] if one), None) for number in range(len(named))]
    in_force = chosen or next((one for one in named if one), None)
    return {number for number, offer in enumerate(meant) if offer in (None, in_force)}


def _value(layer: Layer, *keys: str) -> object:
    return layer[keys].value if keys in layer else None


_STRUCTURE: Final = ("inherits", "services")


class Profiles:
    """All profiles of some files, best file first."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def names(self) -> list[str]:
        """Return the names of all profiles, in the order of the alphabet."""
        return sorted({name for document in self._documents for name in _profiles(document)})

    def written(self, name: str) -> ConfigValue:
        """Return the table of a profile, in the file that wins."""
        document, path, table = next(self._tables([name]))
        return _written(document, path, table)

    def services(self, name: str) -> list[str]:
        """Return the names of the services that a profile or its ancestors have tables for."""
        tables = [table.get("services", {}) for _, _, table in self._tables(self.chain(name))]
        return sorted({service for services in tables for service in services})

    def default(self) -> str | None:
        """Return the name of the profile that is used where none is named.

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
        """Return a profile and those that it inherits from, nearest first.

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
        """Return what holds for a profile and a service.

        ``chosen`` has the cookie source (``"cookie"``) and the transport (``"transport"``) that
        the command line names. Settings that are written for another one are left out.
        """
        chain = self.chain(name)
        return merged(name, service, chain, self._layers(chain, service), chosen or {})

    def unknown(self, name: str, message: str) -> UnknownProfileError:
        """Return the error for a name that is no profile's."""
        return UnknownProfileError(message, remedy=self._known(name))

    def _parent(self, name: str) -> ConfigValue | None:
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
) -> Iterator[tuple[KeyPath, ConfigValue]]:
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


def _written(document: Document, keys: KeyPath, value: object) -> ConfigValue:
    return ConfigValue(
        value=value,
        path=document.path,
        scope=document.scope,
        line=document.line(*keys),
        table=toml_key(keys[:-1]),
    )
