"""Every value that holds for a profile, with where it is written and what it is written over.

Knows files and variables; flags come with one command only. Refuses to give a secret's value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from erlconnect.configuration.profiles import OFFER_KEYS
from erlconnect.configuration.session_settings import session_variables
from erlconnect.plugin_catalogue.profile_problems import offers_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from erlconnect.api import Offer
    from erlconnect.configuration.profiles import Profile
    from erlconnect.configuration.toml_lines import KeyPath
    from erlconnect.configuration.written import Written
    from erlconnect.plugin_catalogue.catalogue import Catalogue

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
    secret = _Secrets()
    sources: dict[KeyPath, list[Source]] = {}
    for keys, source in _variables(catalogue, profile, environment, secret):
        sources[keys] = [source]
    for keys, stack in profile.stacks.items():
        sources.setdefault(keys, []).extend(_source(one) for one in stack)
    backend = profile.get("backend")
    explained = [
        Explained(keys=keys, sources=found, unused=_why_unused(keys, backend))
        for keys, found in sources.items()
    ]
    for keys, stack in profile.unused.items():
        named = profile.get(keys[0], OFFER_KEYS[keys[0]])
        why = f"the {keys[0]} is {named.value}" if named else "another one is chosen"
        explained.append(Explained(keys=keys, sources=[_source(one) for one in stack], unused=why))
    ordered = sorted(explained, key=lambda one: (bool(one.unused), len(one.keys) > 1))
    return [secret.hide(one) for one in ordered]


class _Secrets:
    """The keys whose values nobody may see."""

    def __init__(self) -> None:
        self._keys: set[KeyPath] = set()

    def note(self, keys: KeyPath) -> None:
        self._keys.add(keys)

    def hide(self, one: Explained) -> Explained:
        if one.keys not in self._keys:
            return one
        return replace(one, sources=[replace(source, value=HIDDEN) for source in one.sources])


def _variables(
    catalogue: Catalogue, profile: Profile, environment: Mapping[str, str], secret: _Secrets
) -> Iterator[tuple[KeyPath, Source]]:
    """Give the variables that set something of the session or of the offers in use."""
    from erlconnect.configuration.setting_fields import (  # noqa: PLC0415 - pydantic
        is_secret,
        setting_fields,
        variable_name,
    )

    for key, (variable, text) in session_variables(environment).items():
        yield (key,), Source(value=text, variable=variable)
    for table, offer in _offers(catalogue, profile):
        for key, field in setting_fields(offer.settings).items():
            if is_secret(field):
                secret.note((table, key))
            variable = variable_name(offer.name, key)
            if environment.get(variable):
                yield (table, key), Source(value=environment[variable], variable=variable)


def _offers(catalogue: Catalogue, profile: Profile) -> Iterator[tuple[str, Offer]]:
    for kind, table, named in offers_named(profile):
        offer = catalogue.inspect(str(named.value)).offers.get(kind)
        if offer:
            yield table, offer


def _why_unused(keys: KeyPath, backend: Written | None) -> str:
    if len(keys) == 1 or keys[0] in OFFER_KEYS or (backend and keys[0] == backend.value):
        return ""
    return f"the backend is {backend.value}" if backend else "no backend is named"


def _source(written: Written) -> Source:
    return Source(value=written.value, path=written.path, line=written.line, table=written.table)
