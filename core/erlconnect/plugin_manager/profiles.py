"""Profiles together with the installed plugins: mistakes, sources of values, and the JSON schema.

``configuration`` checks the keys of a file; here the plugins that a profile names validate their
settings. The values are those of files and variables: options belong to one command only. The
value of a secret is never returned. JSON Schema 2020-12: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.problems import ConfigValue, ProblemError, did_you_mean
from erlconnect.configuration.profile_schema import (
    PLUGIN_NAME,
    PROFILE_KEYS,
    PROFILE_NAME,
    SERVICE_KEYS,
)
from erlconnect.configuration.profiles import OFFER_KEYS
from erlconnect.configuration.session_settings import session_variables
from erlconnect.configuration.settings import (
    secret_keys,
    setting_fields,
    variable_name,
    written_problems,
)
from erlconnect.configuration.tls_settings import TLS, split_tls
from erlconnect.plugin_manager.validation import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from erlconnect.configuration.problems import Problem
    from erlconnect.configuration.profile_schema import ProfileKey
    from erlconnect.configuration.profiles import Profile, Profiles
    from erlconnect.configuration.settings import DeclaresSettings
    from erlconnect.configuration.toml import KeyPath
    from erlconnect.contract import Offer
    from erlconnect.plugin_manager.catalogue import Catalogue
    from erlconnect.plugin_manager.loading import CatalogueEntry, PluginReport

_NAMING_KEYS: Final = (("backend",), *(tuple(pair) for pair in OFFER_KEYS.items()))
_KEYS_IN_ORDER: Final = tuple(SERVICE_KEYS)
_CHOICES: Final = {"cookie": "the cookie is from", "transport": "the transport is"}
HIDDEN: Final = "[hidden]"
_KINDS_OF_TABLES: Final = {"cookie": Kind.COOKIE_SOURCE, "transport": Kind.TRANSPORT}


def problems(catalogue: Catalogue, profile: Profile) -> Iterator[Problem]:
    """Yield all mistakes in ``profile`` that are found only with the installed plugins."""
    yield from name_problems(catalogue.entries(), profile)
    yield from setting_problems(catalogue, profile)


def all_problems(catalogue: Catalogue, profiles: Profiles) -> list[Problem]:
    """Return all mistakes in ``profiles``, each one once: profiles may inherit the same line."""
    found: dict[Problem, None] = {}
    try:
        profiles.default()
    except ProblemError as error:
        found[error.problem] = None
    for name in profiles.names():
        try:
            # A mistake may be in the table of one service only.
            for service in ("", *profiles.services(name)):
                found |= dict.fromkeys(problems(catalogue, profiles.resolve(name, service)))
        except ProblemError as error:
            found[error.problem] = None
    return list(found)


def name_problems(entries: Sequence[CatalogueEntry], profile: Profile) -> Iterator[Problem]:
    """Yield the names in ``profile`` that no installed plugin has; imports no plugin."""
    installed = [entry.name for entry in entries]
    for keys in _NAMING_KEYS:
        named = profile.get(*keys)
        if named and named.value not in installed:
            # Names are compared with the metadata: a plugin that nobody uses here is not imported.
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
    """Yield the mistakes in the settings of ``profile``, importing the plugins that they are for.

    A setting that is missing is no mistake: the command line, or a profile that inherits from this
    one, may have it.
    """
    installed = [entry.name for entry in catalogue.entries()]
    for kind, table, named in offers_named(profile):
        if named.value not in installed:
            continue  # ``name_problems`` reports it.
        report = catalogue.inspect(str(named.value))
        if kind in report.offers:
            written = profile.table(table)
            if kind is Kind.TRANSPORT:
                tls, written = split_tls(written)
                yield from written_problems(TLS, tls)
            yield from written_problems(report.offers[kind], written)
        else:
            known = ", ".join(report.offers) or "; ".join(report.problems)
            yield named.problem(
                f"{named.value!r} cannot be used as a {kind}: {known}",
                "`erlconnect plugins` lists what is installed.",
            )


def offers_named(profile: Profile) -> Iterator[tuple[Kind, str, ConfigValue]]:
    """Yield each offer that ``profile`` names: its kind, the table of its settings, its name.

    That includes backends that have a table and are not used. No value names these, so the place of
    their first setting is that of the name.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One key with all its values, best first; ``unused`` says why none of them is used."""

    keys: KeyPath
    sources: Sequence[ConfigValue]
    unused: str = ""


def explain(
    catalogue: Catalogue, profile: Profile, environment: Mapping[str, str]
) -> list[Explanation]:
    """Return every key that a file or a variable sets, in the order of their declaration."""
    offers = list(_offers(catalogue, profile))
    # Variables go first: they win over files, as in ``resolve_settings``.
    sources = {keys: [source] for keys, source in _variables(offers, environment)}
    for keys, stack in profile.stacks.items():
        sources.setdefault(keys, []).extend(stack)
    explained = [
        Explanation(keys=keys, sources=found, unused=_why_unused(keys, profile.get("backend")))
        for keys, found in sources.items()
    ]
    for keys, stack in profile.unused.items():
        named = profile.get(keys[0], OFFER_KEYS[keys[0]])
        why = f"{_CHOICES[keys[0]]} {named.value}" if named else "another one is chosen"
        explained.append(Explanation(keys=keys, sources=stack, unused=why))
    ordered = sorted(explained, key=lambda one: (bool(one.unused), _rank(one.keys)))
    secret = set(_secret_keys(offers))
    return [_hidden(one) if one.keys in secret else one for one in ordered]


def _offers(catalogue: Catalogue, profile: Profile) -> Iterator[tuple[str, DeclaresSettings]]:
    """Yield each offer that ``profile`` has settings for, with the name of their table."""
    # The settings of TLS stand in the table of the transport, and belong to no plugin.
    yield "transport", TLS
    for kind, table, named in offers_named(profile):
        offer = catalogue.inspect(str(named.value)).offers.get(kind)
        if offer:
            yield table, offer


def _variables(
    offers: Sequence[tuple[str, DeclaresSettings]], environment: Mapping[str, str]
) -> Iterator[tuple[KeyPath, ConfigValue]]:
    """Yield the variables that set something of the session or of ``offers``."""
    for key, (variable, text) in session_variables(environment).items():
        yield (key,), ConfigValue(value=text, variable=variable)
    for table, offer in offers:
        for key in setting_fields(offer.settings):
            variable = variable_name(offer.name, key)
            # An empty variable is unset, as in ``resolve_settings``.
            if environment.get(variable):
                yield (table, key), ConfigValue(value=environment[variable], variable=variable)


def _secret_keys(offers: Sequence[tuple[str, DeclaresSettings]]) -> Iterator[KeyPath]:
    for table, offer in offers:
        for key in secret_keys(offer.settings):
            yield table, key


def _hidden(one: Explanation) -> Explanation:
    return replace(one, sources=[replace(source, value=HIDDEN) for source in one.sources])


def _why_unused(keys: KeyPath, backend: ConfigValue | None) -> str:
    # A key without a table is one of the session; it counts with every backend.
    if len(keys) == 1 or keys[0] in OFFER_KEYS or (backend and keys[0] == backend.value):
        return ""
    return f"the backend is {backend.value}" if backend else "no backend is named"


def _rank(keys: KeyPath) -> int:
    """Return where a key is sorted: as it is declared, with tables of settings at the end."""
    if len(keys) == 1:
        return _KEYS_IN_ORDER.index(keys[0])
    return len(_KEYS_IN_ORDER) + (
        1 + list(OFFER_KEYS).index(keys[0]) if keys[0] in OFFER_KEYS else 0
    )


def config_schema(reports: Iterable[PluginReport]) -> dict[str, Any]:
    """Return the schema; tables of plugins that are not in ``reports`` may hold anything."""
    offers: dict[Kind, dict[str, Offer]] = {kind: {} for kind in Kind}
    for report in reports:
        for kind, offer in report.offers.items():
            offers[kind][offer.name] = offer
    definitions: dict[str, Any] = {}
    for offer in offers[Kind.BACKEND].values():
        definitions[f"backend {offer.name}"] = _settings(offer, definitions)
    for key, kind in _KINDS_OF_TABLES.items():
        definitions[key] = {"anyOf": list(_tables_of(key, offers[kind], definitions))}
    definitions["backend"] = _name(offers[Kind.BACKEND])
    definitions["transport"]["anyOf"].append(_name(offers[Kind.TRANSPORT]))
    backends = {name: _ref(f"backend {name}") for name in offers[Kind.BACKEND]}
    service = _values(SERVICE_KEYS, backends)
    services = {"services": {"type": "object", "additionalProperties": service}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of erlconnect",
        **_object(
            {
                "default-profile": {
                    "type": "string",
                    "description": "The profile that is used where none is named.",
                },
                "profiles": {
                    "type": "object",
                    "propertyNames": {"pattern": f"^{PROFILE_NAME.pattern}$"},
                    "additionalProperties": _values(PROFILE_KEYS, {**backends, **services}),
                },
                "plugins": _object({"prefer": _texts()}),
            }
        ),
        "$defs": definitions,
    }


def _values(keys: Mapping[str, ProfileKey], tables: Mapping[str, Any]) -> dict[str, Any]:
    own = {}
    for key in keys.values():
        shared = _ref(key.name) if key.name in (*_KINDS_OF_TABLES, "backend") else key.schema
        own[key.name] = {"description": key.meaning, **shared, **tables.get(key.name, {})}
    return {
        "type": "object",
        "properties": {**tables, **own},
        # A table may belong to a backend that is not installed here.
        "additionalProperties": {"type": "object"},
    }


def _tables_of(
    key: str, offers: Mapping[str, Offer], definitions: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Return the schema of each table that names an offer beside the settings of that."""
    name = OFFER_KEYS[key]
    shared = _properties(TLS, definitions) if key == "transport" else {}
    for offer in offers.values():
        settings = {**shared, **_properties(offer, definitions)}
        yield _object({name: {"const": offer.name}, **settings}, required=[name])
    # A name that is not installed here may be installed elsewhere, so its table may hold anything.
    others = {"type": "string", "not": {"enum": list(offers)}}
    yield {"type": "object", "properties": {name: others}}


def _settings(offer: Offer, definitions: dict[str, Any]) -> dict[str, Any]:
    return {"description": offer.summary, **_object(_properties(offer, definitions))}


def _properties(offer: DeclaresSettings, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the settings as properties; none is required: an option or an heir may set it."""
    schema = offer.settings.model_json_schema()
    # Pydantic refers to nested models as #/$defs/NAME, so they have to stand at the top of the
    # whole schema.
    definitions |= schema.get("$defs", {})
    properties: dict[str, Any] = schema.get("properties", {})
    return properties


def _name(offers: Mapping[str, Offer]) -> dict[str, Any]:
    """Return the schema of a name; the ``enum`` is for completion in editors."""
    known = {"enum": list(offers)}
    return {"anyOf": [known, {"type": "string", "pattern": f"^{PLUGIN_NAME.pattern}$"}]}


def _ref(definition: str) -> dict[str, Any]:
    # In a URI fragment a JSON pointer is percent-encoded (RFC 6901, section 6).
    return {"$ref": f"#/$defs/{definition.replace(' ', '%20')}"}


def _texts() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"type": "string"}}


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": required} if required else schema
