"""From names to objects: which backend, cookie sources and transports a session uses.

Order of choice: the command line, the profile, the target's own references, the defaults. An offer
that is named by one of the first two inherits the settings of the target's reference of that name.

Asking a backend which services there are, for those backends that can say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.configuration.settings import argument_option
from erlconnect.configuration.tls_settings import resolve_tls, without_tls
from erlconnect.contract import ListsServices, Ref
from erlconnect.plugin_manager.validation import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.configuration.problems import ConfigValue
    from erlconnect.configuration.tls_settings import TlsSettings
    from erlconnect.contract import Backend, CookieSource, Dialer, Settings, Target, Transport
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig

_DEFAULT_COOKIE: Final = Ref(name="file")
DEFAULT_TRANSPORT: Final = Ref(name="direct")


@dataclass(frozen=True, slots=True, kw_only=True)
class _PluginSpec:
    """An offer to create: its name, options of the command line and profile, what it inherits."""

    name: str
    options: Mapping[str, str]
    written: Mapping[str, ConfigValue]
    inherited: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSourceChoice:
    """A cookie source to ask; ``by_target`` where a target refers to it, which it may then use."""

    name: str
    settings: Settings
    source: CookieSource
    by_target: bool


class PluginResolver:
    """Creates what the choices name; plugins are imported when they are first needed."""

    def __init__(
        self, catalogue: Catalogue, choices: SessionConfig, environment: Mapping[str, str]
    ) -> None:
        self.catalogue = catalogue
        self._choices = choices
        self._environment = environment

    def backend(self) -> Backend:
        """Create the backend."""
        name = self._choices.backend
        wanted = _PluginSpec(
            name=name,
            options=self._choices.options.backend,
            written=self._choices.settings.backend,
            inherited={},
        )
        settings = self._settings(Kind.BACKEND, wanted)
        return self.catalogue.create(Kind.BACKEND, name, settings)

    def cookie_sources(self, target: Target) -> list[CookieSourceChoice]:
        """Create the cookie sources to ask for ``target``, best first."""
        options = self._choices.options.cookie
        chosen, colon, argument = (self._choices.cookie_from or "").partition(":")
        if colon:
            offer = self.catalogue.offer(Kind.COOKIE_SOURCE, chosen)
            options = {**options, **argument_option(offer, argument)}
        refs = [*target.cookies, _DEFAULT_COOKIE]
        wanted = _wanted(chosen, options, self._choices.settings.cookie, refs)
        named = {ref.name for ref in target.cookies}
        return [self._cookie_source(one, by_target=one.name in named) for one in wanted]

    def transports(self, target: Target) -> list[tuple[str, Transport]]:
        """Create the transports to try for ``target``, best first, with their names."""
        refs = [*target.transports]
        if all(ref.only_if_named for ref in refs):
            refs.append(DEFAULT_TRANSPORT)
        options = without_tls(self._choices.options.transport)
        written = without_tls(self._choices.settings.transport)
        wanted = _wanted(self._choices.transport or "", options, written, refs)
        return [(one.name, self._transport(one)) for one in wanted]

    def tls(self) -> TlsSettings | None:
        """Return what is said of TLS, whatever the transport; ``None`` where it is not spoken."""
        return resolve_tls(
            self._choices.options.transport, self._choices.settings.transport, self._environment
        )

    def transport(self, ref: Ref) -> Transport:
        """Create the transport that another plugin refers to."""
        return self._transport(
            _PluginSpec(name=ref.name, options={}, written={}, inherited=ref.settings)
        )

    def _cookie_source(self, wanted: _PluginSpec, *, by_target: bool) -> CookieSourceChoice:
        settings = self._settings(Kind.COOKIE_SOURCE, wanted)
        return CookieSourceChoice(
            name=wanted.name,
            settings=settings,
            source=self.catalogue.create(Kind.COOKIE_SOURCE, wanted.name, settings),
            by_target=by_target,
        )

    def _transport(self, wanted: _PluginSpec) -> Transport:
        settings = self._settings(Kind.TRANSPORT, wanted)
        return self.catalogue.create(Kind.TRANSPORT, wanted.name, settings)

    def _settings(self, kind: Kind, wanted: _PluginSpec) -> Settings:
        return self.catalogue.settings(
            kind,
            wanted.name,
            options=wanted.options,
            written=wanted.written,
            inherited=wanted.inherited,
            environment=self._environment,
        )


def _wanted(
    chosen: str,
    options: Mapping[str, str],
    written: Mapping[str, ConfigValue],
    refs: Sequence[Ref],
) -> list[_PluginSpec]:
    """Return what to create: the one that was chosen, or all references, settings for the best."""
    if chosen:
        ref = next((ref for ref in refs if ref.name == chosen), Ref(name=chosen))
        return [_PluginSpec(name=chosen, options=options, written=written, inherited=ref.settings)]
    best, *others = [ref for ref in refs if not ref.only_if_named]
    return [
        _PluginSpec(name=best.name, options=options, written=written, inherited=best.settings),
        *(
            _PluginSpec(name=ref.name, options={}, written={}, inherited=ref.settings)
            for ref in others
        ),
    ]


class _ListingSession:
    """What a backend may ask for meanwhile (``SessionApi``)."""

    def __init__(self, offers: PluginResolver) -> None:
        self._offers = offers

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        return self._offers.transport(ref).open(target)

    def warn(self, message: str) -> None:
        """Say nothing: names alone are wanted."""


async def list_services(
    choices: SessionConfig, catalogue: Catalogue, environment: Mapping[str, str]
) -> Sequence[str]:
    """Return what may stand as TARGET; nothing where the backend cannot say that."""
    offers = PluginResolver(catalogue, choices, environment)
    backend = offers.backend()
    if not isinstance(backend, ListsServices):
        return []
    return await backend.services(_ListingSession(offers))
