"""Which plugins are installed, and which of them may have their name.

Knows package metadata only and imports no plugin, so listing and completion stay quick and a
broken plugin is harmless until somebody asks for it. Entry points:
https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution, distributions
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.metadata import Distribution

GROUP: Final = "erlconnect"
OWN_DISTRIBUTION: Final = "erlconnect"

# A name becomes part of NAME:ARG, of -o keys and of ERLCONNECT_<NAME>_<KEY>.
_USABLE_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_RESERVED_NAMES: Final = frozenset({"session"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One entry point of the group ``erlconnect``.

    ``problem`` says why this entry is never used; it is empty where the entry may be used.
    """

    name: str
    module: str
    distribution: str
    version: str
    built_in: bool = False
    problem: str = ""

    @property
    def origin(self) -> str:
        """The distribution with its version, for people."""
        return f"{self.distribution} {self.version}"


def scan(prefer: Mapping[str, str]) -> tuple[tuple[CatalogueEntry, ...], tuple[str, ...]]:
    """Give all entries, ours first, then by name; and problems that belong to no entry.

    ``prefer`` maps a name to the distribution that shall have it where several outsiders claim it.
    """
    problems: list[str] = []
    claims: dict[str, list[CatalogueEntry]] = {}
    for entry in dict.fromkeys(_claims(problems)):
        claims.setdefault(entry.name, []).append(entry)
    problems.extend(_useless_preferences(prefer, claims))
    judged = _refuse_shared_modules(
        [entry for name in claims for entry in _judge(claims[name], prefer=prefer.get(name, ""))]
    )
    judged.sort(key=lambda entry: (not entry.built_in, entry.name, entry.distribution))
    return tuple(judged), tuple(problems)


def normalized(distribution_name: str) -> str:
    """Give the form in which two spellings of a distribution's name are the same (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution_name).lower()


def _claims(problems: list[str]) -> Iterator[CatalogueEntry]:
    for found in distributions():
        try:
            yield from _claims_of(found)
        except (ValueError, TypeError, KeyError, OSError) as error:
            place = found.locate_file("")
            problems.append(f"the metadata of a package in {place} cannot be read: {error}")


def _claims_of(found: Distribution) -> Iterator[CatalogueEntry]:
    points = [point for point in found.entry_points if point.group == GROUP]
    if not points or _hidden_by_another_copy(found):
        return
    name, version = found.metadata["Name"], found.version
    for point in points:
        yield CatalogueEntry(
            name=point.name,
            module=point.value,
            distribution=name,
            version=version,
            built_in=normalized(name) == OWN_DISTRIBUTION,
        )


def _hidden_by_another_copy(found: Distribution) -> bool:
    # Python imports the first copy on its path, so the metadata of a later one is not of that code.
    try:
        first = distribution(found.metadata["Name"])
    except PackageNotFoundError:
        return False
    return (first.locate_file(""), first.version) != (found.locate_file(""), found.version)


def _judge(claims: Sequence[CatalogueEntry], *, prefer: str) -> list[CatalogueEntry]:
    name = claims[0].name
    if not _USABLE_NAME.fullmatch(name) or name in _RESERVED_NAMES:
        return _refuse(claims, f"{name!r} cannot be the name of a plugin")
    if any(claim.built_in for claim in claims):
        outsiders = [claim for claim in claims if not claim.built_in]
        own = [claim for claim in claims if claim.built_in]
        return own + _refuse(outsiders, f"{name!r} is a name of erlconnect itself")
    if prefer:
        return _choose(claims, prefer=prefer)
    if len(claims) > 1:
        return _refuse(
            claims,
            f"{name!r} is claimed by {_and(claims)}, and [plugins] prefer names none of them",
        )
    return list(claims)


def _useless_preferences(
    prefer: Mapping[str, str], claims: Mapping[str, Sequence[CatalogueEntry]]
) -> Iterator[str]:
    for name, distribution_name in prefer.items():
        said = f"[plugins] prefer names {distribution_name} for {name!r}, which"
        if name not in claims:
            yield f"{said} nothing that is installed offers"
        elif any(claim.built_in for claim in claims[name]):
            yield f"{said} is erlconnect's own"


def _choose(claims: Sequence[CatalogueEntry], *, prefer: str) -> list[CatalogueEntry]:
    name = claims[0].name
    chosen = [claim for claim in claims if normalized(claim.distribution) == normalized(prefer)]
    others = [claim for claim in claims if claim not in chosen]
    if len(chosen) != 1:
        return _refuse(
            claims,
            f"[plugins] prefer names {prefer} for {name!r}, which is offered by {_and(claims)}",
        )
    return chosen + _refuse(others, f"[plugins] prefer names {prefer} for {name!r}")


def _refuse_shared_modules(entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    # pluggy registers a module once, so of two names only the first loaded would work.
    names = defaultdict(list)
    for entry in entries:
        names[entry.distribution, entry.module].append(entry.name)
    return [
        entry
        if len(sharing := names[entry.distribution, entry.module]) == 1 or entry.problem
        else replace(entry, problem=f"{' and '.join(sharing)} share the module {entry.module}")
        for entry in entries
    ]


def _refuse(claims: Sequence[CatalogueEntry], problem: str) -> list[CatalogueEntry]:
    return [replace(claim, problem=problem) for claim in claims]


def _and(claims: Sequence[CatalogueEntry]) -> str:
    return " and ".join(sorted(claim.origin for claim in claims))
