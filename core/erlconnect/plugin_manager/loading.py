"""Find the installed plugins, import one of them, and collect its offers.

``scan`` reads package metadata and imports no plugin, so listing and completion stay quick, and a
broken plugin does no harm unless it is named. ``load`` imports one plugin and registers it in
pluggy under its name. ``names_of_kind`` reads the kinds of a plugin off its source, for completion,
which must not run foreign code. Entry points:
https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, distributions
from itertools import accumulate
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from erlconnect.errors import PluginError
from erlconnect.hookspecs import HOOKSPEC_VERSION
from erlconnect.plugin_manager import validation
from erlconnect.plugin_manager.validation import (
    Kind,
    missing_libraries,
    plugin_error,
    validate_result,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from importlib.metadata import Distribution

    import pluggy

    from erlconnect.contract import Offer

GROUP: Final = "erlconnect"
OWN_DISTRIBUTION: Final = "erlconnect"
# A name becomes part of NAME:ARG, of -o keys and of ERLCONNECT_<NAME>_<KEY>.
_USABLE_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# ERLCONNECT_SESSION_ is the prefix of the session's own settings.
_RESERVED_NAMES: Final = frozenset({"session"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """One entry point of the group ``erlconnect``.

    ``problem`` says why this entry cannot be used; it is empty where it can.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginReport:
    """What is known of one plugin after its import, or after an import that failed.

    ``seconds`` has the time of each step: ``"its import"``, and each hook by its name.
    """

    entry: CatalogueEntry
    offers: Mapping[Kind, Offer]
    seconds: Mapping[str, float]
    problems: tuple[str, ...]


def scan(prefer: Mapping[str, str]) -> tuple[tuple[CatalogueEntry, ...], tuple[str, ...]]:
    """Return all entries, those of erlconnect first, then by name; and problems of no entry.

    ``prefer`` maps a name that several distributions claim to the one that gets it.
    """
    problems: list[str] = []
    claims: dict[str, list[CatalogueEntry]] = {}
    # Metadata comes twice where one folder is on sys.path twice.
    for entry in dict.fromkeys(_claims(problems)):
        claims.setdefault(entry.name, []).append(entry)
    problems.extend(_useless_preferences(prefer, claims))
    entries = _refuse_shared_modules(
        [
            entry
            for name in claims
            for entry in _resolve_claims(claims[name], prefer=prefer.get(name, ""))
        ]
    )
    entries.sort(key=lambda entry: (not entry.built_in, entry.name, entry.distribution))
    return tuple(entries), tuple(problems)


def load(
    entry: CatalogueEntry, manager: pluggy.PluginManager, warn: Callable[[str], None]
) -> PluginReport:
    """Import and register the plugin of ``entry``; after ``PluginError`` it is not registered.

    ``warn`` is called from another thread while something takes too long.
    """
    seconds: dict[str, float] = {}
    problems: list[str] = []
    with _timed(entry, "its import", seconds, warn):
        plugin = EntryPoint(name=entry.name, value=entry.module, group=GROUP).load()
    _refuse_newer(entry, plugin)
    try:
        with validation.attribute_errors(entry, "its registration"):
            manager.register(plugin, name=entry.name)
        for implementation in implementations(manager, entry.name):
            _refuse_unusable(entry, implementation)
        offers = _collect(entry, manager, seconds, problems, warn)
    except PluginError:
        # pluggy keeps a plugin registered although it has refused its hooks.
        if manager.has_plugin(entry.name):
            manager.unregister(name=entry.name)
        raise
    problems.extend(_slow(seconds))
    problems.extend(_unknown_hooks(manager, entry.name))
    problems.extend(_missing(offers))
    return PluginReport(entry=entry, offers=offers, seconds=seconds, problems=tuple(problems))


def implementations(
    manager: pluggy.PluginManager, name: str, hook: str = ""
) -> Iterator[pluggy.HookImpl]:
    """Yield the hook functions of the plugin ``name``: of one hook, or of all.

    They are called one plugin at a time and never through ``manager.hook``: results there do not
    say whose they are, and one plugin's exception would lose the results of the others.
    """
    for caller in manager.get_hookcallers(manager.get_plugin(name)) or ():
        if hook in ("", caller.name):
            for implementation in caller.get_hookimpls():
                if implementation.plugin_name == name:
                    yield implementation


def names_of_kind(entries: Iterable[CatalogueEntry], kind: Kind) -> Iterator[str]:
    """Yield the names that can be used and probably have an offer of ``kind``."""
    for entry in entries:
        if not entry.problem and _may_offer(entry.module, kind):
            yield entry.name


def normalized(distribution_name: str) -> str:
    """Return the form in which two spellings of a distribution's name are the same (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution_name).lower()


def _claims(problems: list[str]) -> Iterator[CatalogueEntry]:
    for found in distributions():
        try:
            yield from _claims_of(found)
        # One broken package must not hide the plugins of all others.
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
    # Python imports the first copy on its path, so the metadata of a later copy describes code that
    # is never imported.
    try:
        first = distribution(found.metadata["Name"])
    except PackageNotFoundError:
        return False
    return (first.locate_file(""), first.version) != (found.locate_file(""), found.version)


def _resolve_claims(claims: Sequence[CatalogueEntry], *, prefer: str) -> list[CatalogueEntry]:
    name = claims[0].name
    if not _USABLE_NAME.fullmatch(name) or name in _RESERVED_NAMES:
        return _refuse(claims, f"{name!r} cannot be the name of a plugin")
    if any(claim.built_in for claim in claims):
        third_party = [claim for claim in claims if not claim.built_in]
        own = [claim for claim in claims if claim.built_in]
        return own + _refuse(third_party, f"{name!r} is a name of erlconnect itself")
    if prefer:
        return _prefer(claims, prefer=prefer)
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
        beginning = f"[plugins] prefer names {distribution_name} for {name!r}, which"
        if name not in claims:
            yield f"{beginning} nothing that is installed offers"
        elif any(claim.built_in for claim in claims[name]):
            yield f"{beginning} is erlconnect's own"


def _prefer(claims: Sequence[CatalogueEntry], *, prefer: str) -> list[CatalogueEntry]:
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


def _collect(
    entry: CatalogueEntry,
    manager: pluggy.PluginManager,
    seconds: dict[str, float],
    problems: list[str],
    warn: Callable[[str], None],
) -> dict[Kind, Offer]:
    offers: dict[Kind, Offer] = {}
    for kind in Kind:
        for implementation in implementations(manager, entry.name, kind.hook):
            with _timed(entry, kind.hook, seconds, warn):
                result = implementation.function()
            for offer in validate_result(entry, kind, result):
                if offer.name != entry.name:
                    problems.append(
                        f"offers a {kind} called {offer.name!r}; only {entry.name!r} is its name"
                    )
                elif kind in offers:
                    raise plugin_error(entry, f"returned two offers from {kind.hook}")
                else:
                    offers[kind] = offer
    return offers


def _refuse_newer(entry: CatalogueEntry, plugin: Any) -> None:
    version = getattr(plugin, "ERLCONNECT_HOOKSPEC_VERSION", HOOKSPEC_VERSION)
    if version != HOOKSPEC_VERSION:
        raise plugin_error(
            entry,
            f"is made for version {version} of the hooks; this erlconnect has {HOOKSPEC_VERSION}",
        )


def _refuse_unusable(entry: CatalogueEntry, implementation: pluggy.HookImpl) -> None:
    function = implementation.function
    if implementation.wrapper or implementation.hookwrapper:
        raise plugin_error(entry, f"wraps {function.__name__}, and so the hooks of other plugins")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise plugin_error(entry, f"has an asynchronous {function.__name__}; hooks are synchronous")


def _slow(seconds: Mapping[str, float]) -> Iterator[str]:
    for step, duration in seconds.items():
        if duration > validation.SLOW_SECONDS:
            yield f"took {duration:.1f} s for {step}"


def _unknown_hooks(manager: pluggy.PluginManager, name: str) -> Iterator[str]:
    callers = manager.get_hookcallers(manager.get_plugin(name)) or ()
    # Without this message a plugin that has no hooks would do nothing, and nobody would know why.
    if not callers:
        yield "registers nothing: no function in it carries erlconnect.api.hookimpl"
    for caller in callers:
        # With optionalhook a plugin may have hooks that only a later erlconnect knows.
        optional = all(implementation.optionalhook for implementation in caller.get_hookimpls())
        if not caller.has_spec() and not optional:
            yield f"has a hook {caller.name!r} that this erlconnect does not know"


def _missing(offers: Mapping[Kind, Offer]) -> Iterator[str]:
    for kind, offer in offers.items():
        missing = missing_libraries(offer)
        if missing:
            yield f"its {kind} needs {' and '.join(missing)}, not installed: {offer.install}"


@contextmanager
def _timed(
    entry: CatalogueEntry, step: str, seconds: dict[str, float], warn: Callable[[str], None]
) -> Iterator[None]:
    """Run a step of a plugin under the watchdog, and note how long it takes."""
    begin = monotonic()
    try:
        with validation.slow_call_watchdog(entry, step, warn):
            yield
    finally:
        seconds[step] = seconds.get(step, 0.0) + monotonic() - begin


def _may_offer(module: str, kind: Kind) -> bool:
    """Return whether the source of ``module`` mentions the hook; true where it cannot be read."""
    source = _source(module)
    # Not before a dot: a package may be called like a hook, as our own erlconnect_backends is.
    return source is None or bool(re.search(rf"\b{kind.hook}\b(?!\.)", source))


def _source(module: str) -> str | None:
    """Return the source of an entry point's module, or of the class that it names in there."""
    module, _, attribute = module.partition(":")
    places: Sequence[str] | None = None
    origin = ""
    for name in accumulate(module.split("."), "{}.{}".format):
        # importlib.util.find_spec would import the package of a module.
        spec = PathFinder.find_spec(name, places)
        if spec is None:
            return None
        places, origin = spec.submodule_search_locations, spec.origin or ""
    try:
        text = Path(origin).read_text()
    except (OSError, ValueError):
        return None
    # A class ends at the next line that starts in the first column.
    block = re.search(rf"^class {attribute}\b.*?\n(?=\S|\Z)", text, re.DOTALL | re.MULTILINE)
    return block[0] if attribute and block else text
