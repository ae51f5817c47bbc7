"""One profile as it holds: which of several values wins, and which mean nothing here.

Knows values with their places, best first, and refuses to know the files that they come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from erlconnect.configuration.toml_lines import KeyPath
from erlconnect.configuration.written import Written

if TYPE_CHECKING:
    from collections.abc import Sequence

# The key that names an offer, in the table of its settings.
OFFER_KEYS: Final = {"cookie": "from", "transport": "name"}
# Whatever the transport: they say how the node speaks. ``tls_settings``, which is slow to import,
# declares them.
OF_ANY_TRANSPORT: Final = frozenset({"tls-ca", "tls-cert", "tls-key", "tls-server-name"})

# The values of one table of one file.
Layer: TypeAlias = Mapping[KeyPath, Written]


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


def merged(
    name: str,
    service: str,
    chain: Sequence[str],
    layers: Sequence[Layer],
    chosen: Mapping[str, str | None],
) -> Profile:
    """Give what holds of ``layers``, which are best first; ``chosen`` as ``Profiles.resolve``."""
    stacks: dict[KeyPath, list[Written]] = {}
    unused: dict[KeyPath, list[Written]] = {}
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
    """Give the numbers of the layers whose settings are for the offer that is in force.

    A layer's settings are for the offer that it names, else for the one named next below it; where
    nothing below names any, they are for whichever is chosen.
    """
    named = [_value(layer, kind, OFFER_KEYS[kind]) for layer in layers]
    meant = [next((one for one in named[number:] if one), None) for number in range(len(named))]
    in_force = chosen or next((one for one in named if one), None)
    return {number for number, offer in enumerate(meant) if offer in (None, in_force)}


def _value(layer: Layer, *keys: str) -> object:
    return layer[keys].value if keys in layer else None
