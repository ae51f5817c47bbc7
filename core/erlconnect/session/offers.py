"""From names to objects: which backend, cookie sources and transports a session uses.

Order of choice: the command line, the profile, the target's own references, the defaults. An offer
that is named by one of the first two inherits the settings of the target's reference of that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import Ref
from erlconnect.configuration.settings import argument_option
from erlconnect.configuration.tls_settings import resolve_tls, without_tls
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from erlconnect.api import Backend, CookieSource, Settings, Target, Transport
    from erlconnect.configuration.tls_settings import TlsSettings
    from erlconnect.configuration.written import Written
    from erlconnect.plugin_catalogue.catalogue import Catalogue
    from erlconnect.session.choices import Choices

_DEFAULT_COOKIE: Final = Ref(name="file")
DEFAULT_TRANSPORT: Final = Ref(name="direct")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """An offer to create: its name, options of the command line and profile, what it inherits."""

    name: str
    options: Mapping[str, str]
    written: Mapping[str, Written]
    inherited: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieSourceChoice:
    """A cookie source to ask; ``by_target`` where a target refers to it, which it may then use."""

    name: str
    settings: Settings
    source: CookieSource
    by_target: bool


class Offers:
    """Creates what the choices name; plugins are imported when they are first needed."""

    def __init__(
        self, catalogue: Catalogue, choices: Choices, environment: Mapping[str, str]
    ) -> None:
        self.catalogue = catalogue
        self._choices = choices
        self._environment = environment

    def backend(self) -> Backend:
        """Create the backend."""
        name = self._choices.backend
        wanted = _Wanted(
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
        """Give what is said of TLS, whatever the transport; ``None`` where it is not spoken."""
        return resolve_tls(
            self._choices.options.transport, self._choices.settings.transport, self._environment
        )

    def transport(self, ref: Ref) -> Transport:
        """Create the transport that another plugin refers to."""
        return self._transport(
            _Wanted(name=ref.name, options={}, written={}, inherited=ref.settings)
        )

    def _cookie_source(self, wanted: _Wanted, *, by_target: bool) -> CookieSourceChoice:
        settings = self._settings(Kind.COOKIE_SOURCE, wanted)
        return CookieSourceChoice(
            name=wanted.name,
            settings=settings,
            source=self.catalogue.create(Kind.COOKIE_SOURCE, wanted.name, settings),
            by_target=by_target,
        )

    def _transport(self, wanted: _Wanted) -> Transport:
        settings = self._settings(Kind.TRANSPORT, wanted)
        return self.catalogue.create(Kind.TRANSPORT, wanted.name, settings)

    def _settings(self, kind: Kind, wanted: _Wanted) -> Settings:
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
    written: Mapping[str, Written],
    refs: Sequence[Ref],
) -> list[_Wanted]:
    """Give what to create: the one that was chosen, or all references, settings for the best."""
    if chosen:
        ref = next((ref for ref in refs if ref.name == chosen), Ref(name=chosen))
        return [_Wanted(name=chosen, options=options, written=written, inherited=ref.settings)]
    best, *others = [ref for ref in refs if not ref.only_if_named]
    return [
        _Wanted(name=best.name, options=options, written=written, inherited=best.settings),
        *(_Wanted(name=ref.name, options={}, written={}, inherited=ref.settings) for ref in others),
    ]
