"""Which plugins are used for a target, and with which settings."""

from __future__ import annotations

import pytest

from erlconnect.api import NodeName, Ref, Target
from erlconnect.plugin_manager import Catalogue
from erlconnect.session.config import SessionConfig
from erlconnect.session.plugin_resolver import PluginResolver, PluginSpec


def target(address: str, *refs: Ref) -> Target:
    node = NodeName(name="", host=address)
    return Target(node=node, address=address, cookies=refs, transports=refs)


def config(cookie_source: PluginSpec) -> SessionConfig:
    return SessionConfig(
        service="app@10.0.0.1", backend=PluginSpec(name="fixed"), cookie_source=cookie_source
    )


@pytest.mark.parametrize(
    ("text", "name", "argument"),
    [
        ("", "", None),
        ("prompt", "prompt", None),
        ("env:COOKIE", "env", "COOKIE"),
        ("file:/a:b", "file", "/a:b"),
        ("file:", "file", ""),
    ],
)
def test_a_name_and_its_argument(text: str, name: str, argument: str | None) -> None:
    spec = PluginSpec.parse(text, options={"a": "b"}, written={})
    assert (spec.name, spec.argument, spec.options) == (name, argument, {"a": "b"})


def test_an_offer_that_is_named_inherits_what_the_target_says_of_it() -> None:
    ref = Ref(name="consul-kv", settings={"address": "10.0.0.9:1"}, only_if_named=True)
    found = target("10.0.0.1", ref)
    named = PluginResolver(
        Catalogue(), config(PluginSpec(name="consul-kv", argument="erlang/cookie")), {}
    )
    (choice,) = named.cookie_sources(found)
    settings = choice.source._settings  # type: ignore[attr-defined]
    assert choice.name == "consul-kv"
    assert (settings.address, settings.key) == ("10.0.0.9:1", "erlang/cookie")


def test_such_an_offer_is_not_used_by_itself() -> None:
    found = target("10.0.0.1", Ref(name="consul-kv", only_if_named=True))
    plugins = PluginResolver(Catalogue(), config(PluginSpec()), {})
    assert [choice.name for choice in plugins.cookie_sources(found)] == ["file"]
    assert [name for name, _ in plugins.transports(found)] == ["direct"]
