"""Every value that holds for a profile, with where it is written and what it is written over.

Knows files and variables; flags come with one command only. Refuses to give a secret's value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from erlconnect.configuration.profile import OFFER_KEYS
from erlconnect.configuration.profile_keys import SERVICE_KEYS
from erlconnect.configuration.session_settings import session_variables
from erlconnect.configuration.setting_fields import secret_keys, setting_fields, variable_name
from erlconnect.configuration.tls_settings import TLS
from erlconnect.plugin_catalogue.profile_problems import offers_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from erlconnect.api import Offer
    from erlconnect.configuration.profile import Profile
    from erlconnect.configuration.toml_lines import KeyPath
    from erlconnect.configuration.written import Written
    from erlconnect.plugin_catalogue.catalogue import Catalogue

_DECLARED: Final = tuple(SERVICE_KEYS)
_CHOSEN: Final = {"cookie": "the cookie is from", "transport": "the transport is"}
HIDDEN: Final = "[hidden]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place that gives a value: a variable, or a line of a file."""

    value: object
    variable: str = ""
    path: Path | None = None
    line: int | None = None
    table: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One key with all its sources; the first holds. ``unused`` says why none of them does."""

    keys: KeyPath
    sources: Sequence[Source]
    unused: str = ""


def explain(
    catalogue: Catalogue, profile: Profile, environment: Mapping[str, str]
) -> list[Explained]:
    """Give every key that a file or a variable sets, in the order in which profiles show them."""
    offers = list(_offers(catalogue, profile))
    sources = {keys: [source] for keys, source in _variables(offers, environment)}
    for keys, stack in profile.stacks.items():
        sources.setdefault(keys, []).extend(_source(one) for one in stack)
    explained = [
        Explained(keys=keys, sources=found, unused=_why_unused(keys, profile.get("backend")))
        for keys, found in sources.items()
    ]
    for keys, stack in profile.unused.items():
        named = profile.get(keys[0], OFFER_KEYS[keys[0]])
        why = f"{_CHOSEN[keys[0]]} {named.value}" if named else "another one is chosen"
        explained.append(Explained(keys=keys, sources=[_source(one) for one in stack], unused=why))
    ordered = sorted(explained, key=lambda one: (bool(one.unused), _rank(one.keys)))
    secret = set(_secret_keys(offers))
    return [_hidden(one) if one.keys in secret else one for one in ordered]


def _offers(catalogue: Catalogue, profile: Profile) -> Iterator[tuple[str, Offer]]:
    """Give each offer that ``profile`` has settings for, with the table of those."""
    yield "transport", TLS
    for kind, table, named in offers_named(profile):
        offer = catalogue.inspect(str(named.value)).offers.get(kind)
        if offer:
            yield table, offer


def _variables(
    offers: Sequence[tuple[str, Offer]], environment: Mapping[str, str]
) -> Iterator[tuple[KeyPath, Source]]:
    """Give the variables that set something of the session or of ``offers``."""
    for key, (variable, text) in session_variables(environment).items():
        yield (key,), Source(value=text, variable=variable)
    for table, offer in offers:
        for key in setting_fields(offer.settings):
            variable = variable_name(offer.name, key)
            if environment.get(variable):
                yield (table, key), Source(value=environment[variable], variable=variable)


def _secret_keys(offers: Sequence[tuple[str, Offer]]) -> Iterator[KeyPath]:
    for table, offer in offers:
        for key in secret_keys(offer.settings):
            yield table, key


def _hidden(one: Explained) -> Explained:
    return replace(one, sources=[replace(source, value=HIDDEN) for source in one.sources])


def _why_unused(keys: KeyPath, backend: Written | None) -> str:
    if len(keys) == 1 or keys[0] in OFFER_KEYS or (backend and keys[0] == backend.value):
        return ""
    return f"the backend is {backend.value}" if backend else "no backend is named"


def _rank(keys: KeyPath) -> int:
    """Order keys as they are declared; the tables with the settings of offers come after them."""
    if len(keys) == 1:
        return _DECLARED.index(keys[0])
    return len(_DECLARED) + (1 + list(OFFER_KEYS).index(keys[0]) if keys[0] in OFFER_KEYS else 0)


def _source(written: Written) -> Source:
    return Source(value=written.value, path=written.path, line=written.line, table=written.table)
