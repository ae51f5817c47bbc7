"""The JSON schema of configuration files, out of the keys of profiles and the plugins' settings.

JSON Schema 2020-12: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.profile import OFFER_KEYS
from erlconnect.configuration.profile_keys import (
    PLUGIN_NAME,
    PROFILE_KEYS,
    PROFILE_NAME,
    SERVICE_KEYS,
)
from erlconnect.configuration.tls_settings import TLS
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from erlconnect.api import Offer
    from erlconnect.configuration.profile_keys import ProfileKey
    from erlconnect.plugin_catalogue.loading import PluginReport

_TABLES: Final = {"cookie": Kind.COOKIE_SOURCE, "transport": Kind.TRANSPORT}


def config_schema(reports: Iterable[PluginReport]) -> dict[str, Any]:
    """Give the schema; tables of plugins that are not in ``reports`` may hold anything."""
    offers: dict[Kind, dict[str, Offer]] = {kind: {} for kind in Kind}
    for report in reports:
        for kind, offer in report.offers.items():
            offers[kind][offer.name] = offer
    definitions: dict[str, Any] = {}
    for offer in offers[Kind.BACKEND].values():
        definitions[f"backend {offer.name}"] = _settings(offer, definitions)
    for key, kind in _TABLES.items():
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
        shared = _ref(key.name) if key.name in (*_TABLES, "backend") else key.schema
        own[key.name] = {"description": key.meaning, **shared, **tables.get(key.name, {})}
    return {
        "type": "object",
        "properties": {**tables, **own},
        "additionalProperties": {"type": "object"},
    }


def _tables_of(
    key: str, offers: Mapping[str, Offer], definitions: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Give the schema of each table that names an offer beside the settings of that."""
    name = OFFER_KEYS[key]
    shared = _properties(TLS, definitions) if key == "transport" else {}
    for offer in offers.values():
        settings = {**shared, **_properties(offer, definitions)}
        yield _object({name: {"const": offer.name}, **settings}, required=[name])
    others = {"type": "string", "not": {"enum": list(offers)}}
    yield {"type": "object", "properties": {name: others}}


def _settings(offer: Offer, definitions: dict[str, Any]) -> dict[str, Any]:
    return {"description": offer.summary, **_object(_properties(offer, definitions))}


def _properties(offer: Offer, definitions: dict[str, Any]) -> dict[str, Any]:
    """Give the settings; none is required, because a flag or an heir may give it."""
    schema = offer.settings.model_json_schema()
    definitions |= schema.get("$defs", {})
    properties: dict[str, Any] = schema.get("properties", {})
    return properties


def _name(offers: Mapping[str, Offer]) -> dict[str, Any]:
    """Give the schema of a name; the known ones are for completion."""
    known = {"enum": list(offers)}
    return {"anyOf": [known, {"type": "string", "pattern": f"^{PLUGIN_NAME.pattern}$"}]}


def _ref(definition: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{definition.replace(' ', '%20')}"}


def _texts() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"type": "string"}}


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": required} if required else schema
