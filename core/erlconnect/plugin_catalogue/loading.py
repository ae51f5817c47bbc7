"""Imports one plugin, registers it in pluggy under its name, and collects its offers.

Hooks are called one plugin at a time and never through ``manager.hook``: results there do not say
whose they are, and one plugin's exception would take the others' results with it.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from time import monotonic
from typing import TYPE_CHECKING, Any

from erlconnect.errors import PluginError
from erlconnect.hookspecs import HOOKSPEC_VERSION
from erlconnect.plugin_catalogue import blame
from erlconnect.plugin_catalogue.blame import plugin_error
from erlconnect.plugin_catalogue.entries import GROUP
from erlconnect.plugin_catalogue.judging import judge_result, missing_libraries
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pluggy

    from erlconnect.api import Offer
    from erlconnect.plugin_catalogue.entries import CatalogueEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginReport:
    """What is known of one plugin after it was imported, or after it could not be.

    ``seconds`` holds how long each step took: ``"its import"`` and each hook by its name.
    """

    entry: CatalogueEntry
    offers: Mapping[Kind, Offer]
    seconds: Mapping[str, float]
    problems: tuple[str, ...]


def load(
    entry: CatalogueEntry, manager: pluggy.PluginManager, warn: Callable[[str], None]
) -> PluginReport:
    """Import and register the plugin of ``entry``; ``PluginError`` leaves it unregistered.

    ``warn`` is called from another thread while something takes too long.
    """
    seconds: dict[str, float] = {}
    problems: list[str] = []
    with _timed(entry, "its import", seconds, warn):
        plugin = EntryPoint(name=entry.name, value=entry.module, group=GROUP).load()
    _refuse_newer(entry, plugin)
    try:
        with blame.blaming(entry, "its registration"):
            manager.register(plugin, name=entry.name)
        for implementation in implementations(manager, entry.name):
            _refuse_unusable(entry, implementation)
        offers = _collect(entry, manager, seconds, problems, warn)
    except PluginError:
        # pluggy keeps a plugin whose hooks it has refused.
        if manager.has_plugin(entry.name):
            manager.unregister(name=entry.name)
        raise
    problems.extend(_slow(seconds))
    problems.extend(_strange_hooks(manager, entry.name))
    problems.extend(_missing(offers))
    return PluginReport(entry=entry, offers=offers, seconds=seconds, problems=tuple(problems))


def implementations(
    manager: pluggy.PluginManager, name: str, hook: str = ""
) -> Iterator[pluggy.HookImpl]:
    """Give the hook functions of the plugin ``name``: of one hook, or of all."""
    for caller in manager.get_hookcallers(manager.get_plugin(name)) or ():
        if hook in ("", caller.name):
            for implementation in caller.get_hookimpls():
                if implementation.plugin_name == name:
                    yield implementation


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
            for offer in judge_result(entry, kind, result):
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
        if duration > blame.SLOW_SECONDS:
            yield f"took {duration:.1f} s for {step}"


def _strange_hooks(manager: pluggy.PluginManager, name: str) -> Iterator[str]:
    callers = manager.get_hookcallers(manager.get_plugin(name)) or ()
    if not callers:
        yield "registers nothing: no function in it carries erlconnect.api.hookimpl"
    for caller in callers:
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
    """Attend to the plugin, and note how long it takes."""
    begin = monotonic()
    try:
        with blame.attending(entry, step, warn):
            yield
    finally:
        seconds[step] = seconds.get(step, 0.0) + monotonic() - begin
