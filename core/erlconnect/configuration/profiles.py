"""Profiles: which there are, from which others they inherit, and which of several values holds.

Order, best first: the tables of the service before those of the profile, a profile before the one
that it inherits from, the project's file before the user's. Options and variables come later, in
``command_line.resolve`` and in ``settings``.
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
# They hold with any transport, because they say how the node speaks. ``tls_settings`` declares
# them; it imports pydantic, which is slow. A test holds the two against each other.
OF_ANY_TRANSPORT: Final = frozenset({"tls-ca", "tls-cert", "tls-key", "tls-server-name"})
# The values of one table of one file.
Layer: TypeAlias = Mapping[KeyPath, ConfigValue]
# They say how profiles are put together, and hold no setting.
_STRUCTURE_KEYS: Final = ("inherits", "services")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The values of one profile, and of one service of it where ``service`` names one.

    ``chain`` has its name and those of its ancestors, nearest first. ``stacks`` has all values of a
    key, best first: the first one holds. ``unused`` has settings that belong to another cookie
    source or transport than the one that is chosen.
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


class Profiles:
    """All profiles of some files, best file first."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def names(self) -> list[str]:
        """Return the names of all profiles, sorted."""
        return sorted({name for document in self._documents for name in _profiles(document)})

    def definition(self, name: str) -> ConfigValue:
        """Return the table of a profile, in the best file that has one."""
        document, path, table = next(self._tables([name]))
        return _config_value(document, path, table)

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
                written = _config_value(document, ("default-profile",), value)
                message = f"there is no profile {value!r}"
                raise written.problem(message, self._known_names(str(value))).error()
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
            # Without this check a circle would never end.
            if ancestor in chain:
                circle = " -> ".join([*chain[chain.index(ancestor) :], ancestor])
                message = f"profiles inherit in a circle: {circle}"
                raise parent.problem(message, "Take one `inherits` out of it.").error()
            if ancestor not in self.names():
                message = f"there is no profile {ancestor!r} to inherit from"
                raise parent.problem(message, self._known_names(ancestor)).error()
            chain.append(ancestor)
        return chain

    def resolve(
        self, name: str, service: str = "", *, chosen: Mapping[str, str | None] | None = None
    ) -> Profile:
        """Return the values of a profile and a service.

        ``chosen`` has the cookie source (``"cookie"``) and the transport (``"transport"``) that
        the command line names. Settings for another one are ``unused``.
        """
        chain = self.chain(name)
        return _merged(name, service, chain, self._layers(chain, service), chosen or {})

    def unknown(self, name: str, message: str) -> UnknownProfileError:
        """Return the error for a name that is no profile's."""
        return UnknownProfileError(message, remedy=self._known_names(name))

    def _parent(self, name: str) -> ConfigValue | None:
        for document in self._documents:
            value = _profiles(document).get(name, {}).get("inherits")
            if value is not None:
                return _config_value(document, ("profiles", name, "inherits"), value)
        return None

    def _layers(self, chain: Sequence[str], service: str) -> list[Layer]:
        own = list(self._tables(chain))
        # The tables of the service win over all others, even those of ancestors.
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
                    # Files are the inner loop: a profile wins over its ancestor, whichever file has
                    # which.
                    yield document, ("profiles", name), _profiles(document)[name]

    def _known_names(self, name: str) -> str:
        """Return a remedy: the profile whose name is most like ``name``, and all names."""
        names = self.names()
        known = (
            f"There are: {', '.join(names)}." if names else "`erlconnect profiles init` makes one."
        )
        return f"{did_you_mean(name, names)}{known}"


def _merged(
    name: str,
    service: str,
    chain: Sequence[str],
    layers: Sequence[Layer],
    chosen: Mapping[str, str | None],
) -> Profile:
    """Return the profile of ``layers``, which are best first; ``chosen`` as in ``resolve``."""
    stacks: dict[KeyPath, list[ConfigValue]] = {}
    unused: dict[KeyPath, list[ConfigValue]] = {}
    fitting = {kind: _fitting(layers, kind, chosen.get(kind)) for kind in OFFER_KEYS}
    for number, layer in enumerate(layers):
        for keys, written in layer.items():
            fits = not _of_one_offer(keys) or number in fitting[keys[0]]
            (stacks if fits else unused).setdefault(keys, []).append(written)
    return Profile(name=name, service=service, chain=chain, stacks=stacks, unused=unused)


def _of_one_offer(keys: KeyPath) -> bool:
    """Return whether this is a setting of one particular cookie source or transport."""
    if keys[0] not in OFFER_KEYS or keys[1] == OFFER_KEYS[keys[0]]:
        return False
    return keys[0] != "transport" or keys[1] not in OF_ANY_TRANSPORT


def _fitting(layers: Sequence[Layer], kind: str, chosen: str | None) -> set[int]:
    """Return the numbers of the layers whose settings are for the offer that is used.

    A layer's settings are for the offer that it names, else for the one that the next layer below
    names. Where none below names any, they are for the one that is used, whichever that is.
    """
    named = [_value(layer, kind, OFFER_KEYS[kind]) for layer in layers]
    meant = [next((one for one in named[number:] if one), None) for number in range(len(named))]
    used = chosen or next((one for one in named if one), None)
    return {number for number, offer in enumerate(meant) if offer in (None, used)}


def _value(layer: Layer, *keys: str) -> object:
    return layer[keys].value if keys in layer else None


def _profiles(document: Document) -> Mapping[str, dict[str, Any]]:
    profiles: Mapping[str, dict[str, Any]] = document.content.get("profiles", {})
    return profiles


def _values(
    document: Document, path: KeyPath, table: Mapping[str, Any]
) -> Iterator[tuple[KeyPath, ConfigValue]]:
    for key, value in table.items():
        if key in _STRUCTURE_KEYS:
            continue
        if isinstance(value, dict):
            for inner, setting in value.items():
                yield (key, inner), _config_value(document, (*path, key, inner), setting)
        elif key in OFFER_KEYS:
            # `transport = "direct"` is short for `transport = { name = "direct" }`.
            yield (key, OFFER_KEYS[key]), _config_value(document, (*path, key), value)
        else:
            yield (key,), _config_value(document, (*path, key), value)


def _config_value(document: Document, keys: KeyPath, value: object) -> ConfigValue:
    return ConfigValue(
        value=value,
        path=document.path,
        line=document.line(*keys),
        table=toml_key(keys[:-1]),
    )
