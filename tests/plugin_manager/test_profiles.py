"""The JSON schema that editors use: in step with the code, and of one mind with the checks."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest
from pages import PROJECT, blocks

from erlconnect.configuration.profile_schema import PROFILE_KEYS, SERVICE_KEYS
from erlconnect.configuration.settings import setting_fields
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.plugin_manager.profiles import config_schema

_SHIPPED = files("erlconnect.configuration") / "config.schema.json"


def made() -> dict[str, Any]:
    reports = Catalogue().inspect_all()
    return config_schema([report for report in reports if report.entry.built_in])


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Draft202012Validator:
    schema = json.loads(_SHIPPED.read_text())
    jsonschema_rs.meta.validate(schema)
    return jsonschema_rs.Draft202012Validator(schema)


def test_the_shipped_schema_is_the_one_that_the_code_makes() -> None:
    assert json.loads(_SHIPPED.read_text()) == made(), (
        "run `erlconnect profiles schema > core/erlconnect/configuration/config.schema.json`"
    )


def test_it_knows_every_key_and_every_setting() -> None:
    schema = made()
    profile = schema["properties"]["profiles"]["additionalProperties"]
    service = profile["properties"]["services"]["additionalProperties"]
    assert set(PROFILE_KEYS) < set(profile["properties"])
    assert set(SERVICE_KEYS) < set(service["properties"])
    for report in Catalogue().inspect_all():
        offer = report.offers.get(Kind.BACKEND)
        if offer and report.entry.built_in:
            assert offer.name in profile["properties"]
            known = schema["$defs"][f"backend {offer.name}"]["properties"]
            assert list(known) == list(setting_fields(offer.settings))


_RIGHT = """
default-profile = "staging"
plugins.prefer.nomad = "erlconnect-nomad"
[profiles.staging]
backend = "consul"
cookie  = { from = "consul-kv", key = "erlang/cookie" }
[profiles.staging.consul]
datacenter = "eu1"
[profiles.production]
inherits  = "staging"
backend   = "dns"
confirm   = true
transport = "direct"
dist-port = 9100
[profiles.production.dns]
tcp = true
record = "srv"
[profiles.production.services."_epmd._tcp.shop"]
target = "shop"
transport = { name = "command", command = "ssh -W %h:%p bastion", shell = true }
cookie = { from = "env" }
[profiles.ours]
backend = "nomad"
cookie = { from = "vault", path = "secret/shop" }
transport = { name = "nomad-exec", anything = 1 }
[profiles.ours.nomad]
region = "eu"
[profiles.loose]
cookie = { key = "the source is named elsewhere" }
transport = { host = "10.0.0.1" }
"""


def test_what_is_right_is_right(validator: jsonschema_rs.Draft202012Validator) -> None:
    validator.validate(tomllib.loads(_RIGHT))
    validator.validate({})


@pytest.mark.parametrize(
    "text",
    [
        "profile = {}",
        "default-profile = 1",
        "[profiles.deploy]\nbackned = 'dns'",
        "[profiles.x]\nepmd-port = 0",
        "[profiles.x]\nepmd-port = '1'",
        "[profiles.x]\nconfirm = 'yes'",
        "[profiles.x]\ncookie = 'secret'",
        "[profiles.x]\ncookie = { from = 'env', text = 'secret' }",
        "[profiles.x]\ntransport = { name = 'direct', hots = 'h' }",
        "[profiles.x]\nbackend = 'D N S'",
        "[profiles.x.dns]\nsever = 'x'",
        "[profiles.x.dns]\nrecord = 'txt'",
        "[profiles.x.dns]\ntcp = 'x'",
        "[profiles.x.services.y]\ninherits = 'z'",
        "[profiles.x.services]\ny = 1",
        "[profiles.'a b']\nbackend = 'dns'",
        "[plugins]\nprefer = { a = 1 }",
        "[plugins]\nprefers = {}",
    ],
)
def test_what_is_wrong_is_wrong(validator: jsonschema_rs.Draft202012Validator, text: str) -> None:
    assert not validator.is_valid(tomllib.loads(text))


def test_every_configuration_file_in_the_documentation_fits(
    validator: jsonschema_rs.Draft202012Validator,
) -> None:
    seen = 0
    for page in (PROJECT / "docs").rglob("*.md"):
        for block in blocks(page.read_text(), "toml"):
            if re.search(r"^\[?(profiles|plugins)\b|^default-profile", block, re.MULTILINE):
                validator.validate(tomllib.loads(block))
                seen += 1
    assert seen
