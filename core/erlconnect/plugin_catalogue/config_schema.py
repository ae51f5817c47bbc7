"""The JSON schema of configuration files, out of the keys of profiles and the plugins' settings.

JSON Schema 2020-12: https://json-schema.org/draft/2020-12
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from erlconnect.configuration.profile_keys import (
    PLUGIN_NAME,
    PROFILE_KEYS,
    PROFILE_NAME,
    SERVICE_KEYS,
)
from erlconnect.configuration.profiles import OFFER_KEYS
from erlconnect.configuration.tls_settings import TLS
from erlconnect.plugin_catalogue.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    tables = {key: _named_table(key, offers[kind], definitions) for key, kind in _TABLES.items()}
    tables["transport"] = {
        "anyOf": [_name(offers[Kind.TRANSPORT]), *tables["transport"]["anyOf"]],
    }
    backends = {name: _settings(offer, definitions) for name, offer in offers[Kind.BACKEND].items()}
    tables["backend"] = _name(offers[Kind.BACKEND])
    service = _values(SERVICE_KEYS, tables, backends)
    tables["services"] = {"type": "object", "additionalProperties": service}
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
                    "additionalProperties": _values(PROFILE_KEYS, tables, backends),
                },
                "plugins": _object({"prefer": _texts()}),
            }
        ),
        "$defs": definitions,
    }


def _values(
    keys: Mapping[str, ProfileKey], tables: Mapping[str, Any], backends: Mapping[str, Any]
) -> dict[str, Any]:
    own = {
        key.name: {"description": key.meaning, **key.schema, **tables.get(key.name, {})}
        for key in keys.values()
    }
    return {
        "type": "object",
        "properties": {**backends, **own},
        "additionalProperties": {"type": "object", "propertyNames": {"pattern": "^[a-z]"}},
    }


def _named_table(
    key: str, offers: Mapping[str, Offer], definitions: dict[str, Any]
) -> dict[str, Any]:
    """Give the schema of a table that names an offer beside the settings of that."""
    name = OFFER_KEYS[key]
    shared = _properties(TLS, definitions) if key == "transport" else {}
    known = [
        _object(
            {name: {"const": offer.name}, **shared, **_properties(offer, definitions)},
            required=[name],
        )
        for offer in offers.values()
    ]
    others = {
        "type": "object",
        "properties": {name: {"type": "string", "not": {"enum": list(offers)}}},
    }
    return {"anyOf": [*known, others]}


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


def _texts() -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"type": "string"}}


def _object(properties: Mapping[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": required} if required else schema
