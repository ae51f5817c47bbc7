"""The installed plugins, as the rest of erlconnect uses them.

``Catalogue`` finds a plugin by its name, imports it at its first use, validates its settings,
creates its object, and passes link events to the plugins that observe. Every error names the plugin
and its distribution.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, overload

import pluggy

from erlconnect import hookspecs
from erlconnect.configuration.problems import did_you_mean
from erlconnect.errors import ErlconnectError, PluginError, UnknownPluginError
from erlconnect.plugin_manager.loading import (
    CatalogueEntry,
    PluginReport,
    implementations,
    load,
    scan,
)
from erlconnect.plugin_manager.validation import (
    Kind,
    attribute_errors,
    plugin_error,
    refuse_asynchronous,
    require_libraries,
    slow_call_watchdog,
    validate_created,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from erlconnect.configuration.problems import ConfigValue
    from erlconnect.contract import Backend, CookieSource, Offer, Settings, Transport
    from erlconnect.hookspecs import LinkEvent

_LINK_HOOK: Final = "erlconnect_link_event"


def _log(message: str) -> None:
    import logging  # noqa: PLC0415 - most callers pass their own ``warn``

    logging.getLogger(__name__).warning("%s", message)


class Catalogue:
    """All installed plugins; each is imported when it is first asked for by name.

    ``prefer`` maps a name that several distributions claim to the one that gets it. ``warn`` is
    called for what stops nothing, possibly from another thread. An object of this class belongs to
    one thread.
    """

    def __init__(
        self,
        *,
        prefer: Mapping[str, str] = MappingProxyType({}),
        warn: Callable[[str], None] = _log,
    ) -> None:
        self._entries, self._problems = scan(prefer)
        self._warn = warn
        self._reports: dict[str, PluginReport] = {}
        self._failures: dict[str, PluginError] = {}
        self._warned_of: set[str] = set()
        self._manager = pluggy.PluginManager("erlconnect")
        self._manager.add_hookspecs(hookspecs)

    @property
    def problems(self) -> Sequence[str]:
        """Problems that belong to no entry, such as package metadata that cannot be read."""
        return self._problems

    def entries(self) -> Sequence[CatalogueEntry]:
        """Return every entry, ours first, without importing anything."""
        return self._entries

    def offer(self, kind: Kind, name: str) -> Offer:
        """Return the offer that people call ``name``, importing its plugin.

        Raises ``UnknownPluginError`` where nothing of this kind has the name, ``PluginError``
        where the plugin is broken or refused, and ``MissingExtraError`` where a library
        that it needs is not installed.
        """
        entry = find(self._entries, name)
        offer = offered(self._load(entry), kind)
        require_libraries(entry, kind, offer)
        return offer

    def settings(
        self,
        kind: Kind,
        name: str,
        *,
        options: Mapping[str, str],
        inherited: Mapping[str, object],
        environment: Mapping[str, str],
        written: Mapping[str, ConfigValue] = MappingProxyType({}),
    ) -> Settings:
        """Resolve the settings of an offer as ``resolve_settings`` does, and with its errors.

        Variables of other offers are left out: ``ERLCONNECT_CONSUL_KV_KEY`` is not of ``consul``.
        """
        from erlconnect.configuration.settings import resolve_settings  # noqa: PLC0415 - pydantic

        offer = self.offer(kind, name)
        # The validators of the settings are code of the plugin.
        with self.attribute_errors(kind, name, "the validation of its settings"):
            return resolve_settings(
                offer,
                options=options,
                inherited=inherited,
                environment=environment,
                written=written,
                foreign=foreign_variables(
                    self._entries, self._load(find(self._entries, name)), kind
                ),
                option_prefix=kind.option_prefix,
            )

    @overload
    def create(self, kind: Literal[Kind.BACKEND], name: str, settings: Settings) -> Backend: ...
    @overload
    def create(
        self, kind: Literal[Kind.COOKIE_SOURCE], name: str, settings: Settings
    ) -> CookieSource: ...
    @overload
    def create(self, kind: Literal[Kind.TRANSPORT], name: str, settings: Settings) -> Transport: ...
    def create(self, kind: Kind, name: str, settings: Settings) -> object:
        """Create what ``name`` offers, with settings that were validated for it.

        Raises what ``offer`` raises, any ``ErlconnectError`` of the plugin as it is, and
        ``PluginError`` for every other exception or for an object that is not of this kind.
        """
        offer = self.offer(kind, name)
        with self.attribute_errors(kind, name, "create()"):
            created = offer.create(settings)
        return validate_created(find(self._entries, name), kind, created)

    def attribute_errors(self, kind: Kind, name: str, doing: str) -> AbstractContextManager[None]:
        """Return a context that turns a plugin's exceptions into ``PluginError`` with its name.

        It is for calls into what ``create`` returned:
        ``with catalogue.attribute_errors(kind, "dns", "discover()")``. ``ErlconnectError`` and
        cancellation pass. The text of a cookie source's exception is left out.
        """
        return attribute_errors(
            find(self._entries, name),
            doing,
            expected=(ErlconnectError,),
            secretive=kind is Kind.COOKIE_SOURCE,
        )

    def inspect(self, name: str) -> PluginReport:
        """Import the plugin ``name`` and return its report; a broken one raises nothing.

        Raises ``UnknownPluginError`` where nothing has the name.
        """
        return self._report(find(self._entries, name, even_refused=True))

    def inspect_all(self) -> Sequence[PluginReport]:
        """Import every plugin that can be used, and return the report of every entry."""
        return [self._report(entry) for entry in self._entries]

    def load_observers(self, environment: Mapping[str, str]) -> None:
        """Load the plugins that ``ERLCONNECT_PLUGINS`` lists (commas between) to observe links.

        One that is unknown or broken causes a warning only.
        """
        for name in environment.get("ERLCONNECT_PLUGINS", "").split(","):
            if name.strip():
                try:
                    self._load(find(self._entries, name.strip()))
                except ErlconnectError as error:
                    # A session works without observers, so a broken one must not stop it.
                    self._warn(f"ERLCONNECT_PLUGINS: {error.message}. {error.remedy}")

    def link_event(self, event: LinkEvent) -> None:
        """Pass ``event`` to every loaded plugin that observes links; raises nothing.

        A plugin that fails causes a warning the first time, and the others still run.
        """
        # Not through ``manager.hook``: see ``implementations`` for the reason.
        for report in self._reports.values():
            try:
                _notify(self._manager, report.entry, event, self._warn)
            except PluginError as error:
                if report.entry.name not in self._warned_of:
                    # Once is enough: links come and go often.
                    self._warned_of.add(report.entry.name)
                    self._warn(f"{error.message}. {error.remedy}")

    def _load(self, entry: CatalogueEntry) -> PluginReport:
        # A failed import is not repeated: the modules that it has imported would not run again.
        if entry.name in self._failures:
            raise self._failures[entry.name]
        if entry.name not in self._reports:
            try:
                self._reports[entry.name] = load(entry, self._manager, self._warn)
            except PluginError as error:
                self._failures[entry.name] = error
                raise
        return self._reports[entry.name]

    def _report(self, entry: CatalogueEntry) -> PluginReport:
        problem = entry.problem
        if not problem:
            try:
                return self._load(entry)
            except PluginError as error:
                problem = error.message
        return PluginReport(entry=entry, offers={}, seconds={}, problems=(problem,))


def find(
    entries: Sequence[CatalogueEntry], name: str, *, even_refused: bool = False
) -> CatalogueEntry:
    """Return the entry that is used for ``name``.

    Raises ``PluginError`` where every entry of that name was refused (``even_refused`` returns the
    first one instead), and ``UnknownPluginError`` where there is none.
    """
    named = [entry for entry in entries if entry.name == name]
    usable = [entry for entry in named if not entry.problem]
    if not named:
        raise _unknown(entries, name)
    # ``scan`` leaves at most one entry of a name without a problem.
    if usable or even_refused:
        return (usable or named)[0]
    raise PluginError(
        f"The plugin {name!r} is not used: {named[0].problem}",
        remedy=f'Choose one in the configuration file ([plugins] prefer = {{ {name} = "..." }}) '
        "or uninstall what you do not want; `erlconnect plugins` lists it.",
    )


def offered(report: PluginReport, kind: Kind) -> Offer:
    """Return what a plugin offers of ``kind``; the error says what it offers instead.

    Raises ``UnknownPluginError``, or ``PluginError`` where the plugin is broken.
    """
    offer = report.offers.get(kind)
    if offer is not None:
        return offer
    # A plugin that only observes has no offers either, and no problems.
    if not report.offers and report.problems:
        raise plugin_error(report.entry, "; ".join(report.problems))
    kinds = " and a ".join(report.offers) or "plugin that only observes"
    raise UnknownPluginError(
        f"{report.entry.name!r} of {report.entry.origin} is a {kinds}, not a {kind}",
        remedy="`erlconnect plugins` lists what is installed.",
    )


def foreign_variables(
    entries: Sequence[CatalogueEntry], report: PluginReport, kind: Kind
) -> tuple[str, ...]:
    """Return prefixes of variables that look like settings of this offer and belong to another.

    These are plugins with a longer name (``consul-kv`` beside ``consul``), and the other kinds that
    the same plugin offers.
    """
    from erlconnect.configuration.settings import (  # noqa: PLC0415 - pydantic
        setting_fields,
        variable_name,
    )

    name = report.entry.name
    # ERLCONNECT_CONSUL_ is also the beginning of ERLCONNECT_CONSUL_KV_.
    longer = [
        variable_name(entry.name, "") for entry in entries if entry.name.startswith(f"{name}-")
    ]
    other_kinds = [
        variable_name(name, key)
        for other, offer in report.offers.items()
        if other is not kind
        for key in setting_fields(offer.settings)
    ]
    return (*longer, *other_kinds)


def _unknown(entries: Sequence[CatalogueEntry], name: str) -> UnknownPluginError:
    usable = [entry.name for entry in entries if not entry.problem]
    return UnknownPluginError(
        f"Nothing that is installed is called {name!r}",
        remedy=f"{did_you_mean(name, usable)}`erlconnect plugins` lists what is installed.",
    )


def _notify(
    manager: pluggy.PluginManager,
    entry: CatalogueEntry,
    event: LinkEvent,
    warn: Callable[[str], None],
) -> None:
    """Call the link hooks of one plugin; ``PluginError`` where it fails.

    ``warn`` is called from another thread while the plugin takes too long.
    """
    # As pluggy does: a hook takes the arguments that it names.
    arguments = {"event": event}
    for implementation in implementations(manager, entry.name, _LINK_HOOK):
        with slow_call_watchdog(entry, _LINK_HOOK, warn):
            result = implementation.function(*(arguments[name] for name in implementation.argnames))
        refuse_asynchronous(entry, _LINK_HOOK, result)
