"""What is wrong with a profile that only the installed plugins can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from erlconnect.configuration.problems import Problem
from erlconnect.configuration.profile_keys import PROFILE_KEYS
from erlconnect.configuration.profiles import OFFER_KEYS
from erlconnect.configuration.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.configuration.profiles import Profile
    from erlconnect.configuration.written import Written
    from erlconnect.plugin_catalogue.entries import CatalogueEntry

_NAMES: Final = (("backend",), *(tuple(pair) for pair in OFFER_KEYS.items()))


def name_problems(entries: Sequence[CatalogueEntry], profile: Profile) -> Iterator[Problem]:
    """Give the names in ``profile`` that nothing which is installed has; imports no plugin."""
    installed = [entry.name for entry in entries]
    for keys in _NAMES:
        named = profile.get(*keys)
        if named and named.value not in installed:
            guess = did_you_mean(str(named.value), installed)
            yield _problem(
                named,
                f"nothing that is installed is called {named.value!r}",
                f"{guess}`erlconnect plugins` lists what is installed.",
            )
    for table in profile.tables():
        if table not in OFFER_KEYS and table not in installed:
            known = [*PROFILE_KEYS, *installed]
            yield _problem(
                next(iter(profile.table(table).values())),
                f"{table!r} is neither a known key nor a backend that is installed",
                f"{did_you_mean(table, known)}Known here: {', '.join(PROFILE_KEYS)}; "
                "`erlconnect plugins` lists the backends.",
            )


def _problem(written: Written, message: str, remedy: str) -> Problem:
    return Problem(path=written.path, line=written.line, message=message, remedy=remedy)
