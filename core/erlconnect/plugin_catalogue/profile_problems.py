"""What is wrong with a profile that only the installed plugins can tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from erlconnect.configuration.problems import ProblemError
from erlconnect.configuration.profile import OFFER_KEYS
from erlconnect.configuration.profile_keys import PROFILE_KEYS
from erlconnect.configuration.settings import written_problems
from erlconnect.configuration.suggestions import did_you_mean
from erlconnect.configuration.tls_settings import TLS, only_tls, without_tls
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from erlconnect.configuration.problems import Problem
    from erlconnect.configuration.profile import Profile
    from erlconnect.configuration.profiles import Profiles
    from erlconnect.configuration.written import Written
    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.plugin_catalogue.entries import CatalogueEntry

_NAMES: Final = (("backend",), *(tuple(pair) for pair in OFFER_KEYS.items()))


def name_problems(entries: Sequence[CatalogueEntry], profile: Profile) -> Iterator[Problem]:
    """Give the names in ``profile`` that nothing which is installed has; imports no plugin."""
    installed = [entry.name for entry in entries]
    for keys in _NAMES:
        named = profile.get(*keys)
        if named and named.value not in installed:
            guess = did_you_mean(str(named.value), installed)
            yield named.problem(
                f"nothing that is installed is called {named.value!r}",
                f"{guess}`erlconnect plugins` lists what is installed.",
            )
    for table in profile.tables():
        if table not in OFFER_KEYS and table not in installed:
            known = [*PROFILE_KEYS, *installed]
            first = next(iter(profile.table(table).values()))
            yield first.problem(
                f"{table!r} is neither a known key nor a backend that is installed",
                f"{did_you_mean(table, known)}Known here: {', '.join(PROFILE_KEYS)}; "
                "`erlconnect plugins` lists the backends.",
            )


def setting_problems(catalogue: Catalogue, profile: Profile) -> Iterator[Problem]:
    """Give what is wrong with the settings in ``profile``, importing the plugins that they are for.

    A setting that is missing is not wrong: the command line or an heir may give it.
    """
    installed = [entry.name for entry in catalogue.entries()]
    for kind, table, named in offers_named(profile):
        if named.value not in installed:
            continue  # ``name_problems`` says so.
        report = catalogue.inspect(str(named.value))
        if kind in report.offers:
            written = profile.table(table)
            if kind is Kind.TRANSPORT:
                yield from written_problems(TLS, only_tls(written))
                written = without_tls(written)
            yield from written_problems(report.offers[kind], written)
        else:
            known = ", ".join(report.offers) or "; ".join(report.problems)
            yield named.problem(
                f"{named.value!r} cannot be used as a {kind}: {known}",
                "`erlconnect plugins` lists what is installed.",
            )


def offers_named(profile: Profile) -> Iterator[tuple[Kind, str, Written]]:
    """Give each offer that ``profile`` names: its kind, the table of its settings, its name.

    Backends whose tables are not in use come, too; for those the first setting stands for the name.
    """
    backend = profile.get("backend")
    if backend:
        yield Kind.BACKEND, str(backend.value), backend
    for table in profile.tables():
        if table not in OFFER_KEYS and not (backend and backend.value == table):
            first = next(iter(profile.table(table).values()))
            yield Kind.BACKEND, table, replace(first, value=table)
    for kind, key in ((Kind.COOKIE_SOURCE, "cookie"), (Kind.TRANSPORT, "transport")):
        named = profile.get(key, OFFER_KEYS[key])
        if named:
            yield kind, key, named


def problems(catalogue: Catalogue, profile: Profile) -> Iterator[Problem]:
    """Give all that is wrong with ``profile``."""
    yield from name_problems(catalogue.entries(), profile)
    yield from setting_problems(catalogue, profile)


def all_problems(catalogue: Catalogue, profiles: Profiles) -> list[Problem]:
    """Give all that is wrong with ``profiles``, each of it once."""
    found: dict[Problem, None] = {}
    try:
        profiles.default()
    except ProblemError as error:
        found[error.problem] = None
    for name in profiles.names():
        try:
            for service in ("", *profiles.services(name)):
                found |= dict.fromkeys(problems(catalogue, profiles.resolve(name, service)))
        except ProblemError as error:
            found[error.problem] = None
    return list(found)
