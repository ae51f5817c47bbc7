"""From the names of plugins to objects: which backend, cookie sources and transports are used.

The first of these decides: the command line, the profile, the target's own references, the
defaults. A plugin that is named by one of the first two inherits the settings of the target's
reference of that name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from erlconnect.configuration.settings import argument_option
from erlconnect.configuration.tls_settings import split_tls
from erlconnect.contract import ListsServices, Ref
from erlconnect.plugin_manager.validation import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from erlconnect.configuration.problems import ConfigValue
    from erlconnect.contract import Backend, CookieSource, Dialer, Settings, Target, Transport
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.session.config import SessionConfig

_DEFAULT_COOKIE: Final = Ref(name="file")
DEFAULT_TRANSPORT: Final = Ref(name="direct")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginSpec:
    """A plugin to create and what is known of its settings, before they are validated.

    ``argument`` is ARG of ``NAME:ARG``. ``options`` come from the command
    line, ``written`` from a profile, ``inherited`` from the target's reference.
    """

    name: str = ""
    argument: str | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    written: Mapping[str, ConfigValue] = field(default_factory=lambda: MappingProxyType({}))
    inherited: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(
        cls, text: str, *, options: Mapping[str, str], written: Mapping[str, ConfigValue]
    ) -> Self:
        """Return what ``NAME`` or ``NAME:ARG`` means; an empty ``text`` names no plugin."""
        name, colon, argument = text.partition(":")
        return cls(
            name=name, argument=argument if colon else None, options=options, written=written
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSourceChoice:
    """A cookie source to ask; ``by_target`` where a target refers to it, which it may then use."""

    name: str
    settings: Settings
    source: CookieSource
    by_target: bool


class PluginResolver:
    """Creates what the configuration names; plugins are imported when they are first needed."""

    def __init__(
        self, catalogue: Catalogue, config: SessionConfig, environment: Mapping[str, str]
    ) -> None:
        self.catalogue = catalogue
        self._config = config
        self._environment = environment

    def backend(self) -> Backend:
        """Create the backend. Raises ``ErlconnectError``, as do all of these."""
        spec = self._config.backend
        settings = self._settings(Kind.BACKEND, spec)
        return self.catalogue.create(Kind.BACKEND, spec.name, settings)

    def cookie_sources(self, target: Target) -> list[CookieSourceChoice]:
        """Create the cookie sources to ask for ``target``, best first."""
        spec = self._config.cookie_source
        if spec.argument is not None:
            # Which setting the argument is for, the plugin declares.
            offer = self.catalogue.offer(Kind.COOKIE_SOURCE, spec.name)
            options = {**spec.options, **argument_option(offer, spec.argument)}
            spec = replace(spec, argument=None, options=options)
        specs = _specs(spec, [*target.cookies, _DEFAULT_COOKIE])
        named = {ref.name for ref in target.cookies}
        return [self._cookie_source(one, by_target=one.name in named) for one in specs]

    def transports(self, target: Target) -> list[tuple[str, Transport]]:
        """Create the transports to try for ``target``, best first, with their names."""
        refs = [*target.transports]
        if all(ref.only_if_named for ref in refs):
            # Such references only lend their settings to a transport that the user names.
            refs.append(DEFAULT_TRANSPORT)
        spec = self._config.transport
        # TLS is a layer above every transport: no plugin knows these settings.
        _, options = split_tls(spec.options)
        _, written = split_tls(spec.written)
        specs = _specs(replace(spec, options=options, written=written), refs)
        return [(one.name, self._transport(one)) for one in specs]

    def transport(self, ref: Ref) -> Transport:
        """Create the transport that another plugin refers to."""
        return self._transport(_spec_of(ref))

    def _cookie_source(self, spec: PluginSpec, *, by_target: bool) -> CookieSourceChoice:
        settings = self._settings(Kind.COOKIE_SOURCE, spec)
        return CookieSourceChoice(
            name=spec.name,
            settings=settings,
            source=self.catalogue.create(Kind.COOKIE_SOURCE, spec.name, settings),
            by_target=by_target,
        )

    def _transport(self, spec: PluginSpec) -> Transport:
        settings = self._settings(Kind.TRANSPORT, spec)
        return self.catalogue.create(Kind.TRANSPORT, spec.name, settings)

    def _settings(self, kind: Kind, spec: PluginSpec) -> Settings:
        return self.catalogue.settings(
            kind,
            spec.name,
            options=spec.options,
            written=spec.written,
            inherited=spec.inherited,
            environment=self._environment,
        )


def _specs(spec: PluginSpec, refs: Sequence[Ref]) -> list[PluginSpec]:
    """Return what to create: the plugin that ``spec`` names, or all references, best first."""
    if spec.name:
        ref = next((ref for ref in refs if ref.name == spec.name), Ref(name=spec.name))
        return [replace(spec, inherited=ref.settings)]
    best, *others = [ref for ref in refs if not ref.only_if_named]
    # The user's settings are for the best one only: the others may not have such settings.
    return [
        replace(spec, name=best.name, inherited=best.settings),
        *(_spec_of(ref) for ref in others),
    ]


def _spec_of(ref: Ref) -> PluginSpec:
    return PluginSpec(name=ref.name, inherited=ref.settings)


async def list_services(
    config: SessionConfig, catalogue: Catalogue, environment: Mapping[str, str]
) -> Sequence[str]:
    """Return what may stand as TARGET; nothing where the backend cannot say that."""
    plugins = PluginResolver(catalogue, config, environment)
    backend = plugins.backend()
    if not isinstance(backend, ListsServices):
        return []
    return await backend.services(_ListingSession(plugins))


class _ListingSession:
    """What a backend may ask for while it lists its services (``SessionApi``)."""

    def __init__(self, plugins: PluginResolver) -> None:
        self._plugins = plugins

    def dialer(self, ref: Ref, target: Target) -> AbstractAsyncContextManager[Dialer]:
        return self._plugins.transport(ref).open(target)

    def warn(self, message: str) -> None:
        """Drop the warning: it would be printed into the line that a shell completes."""
