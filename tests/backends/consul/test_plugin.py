"""What the offers are, and that listing them costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from backends.consul.catalogues import backend, cookie_source

from erlconnect.errors import UnknownSettingError
from erlconnect.testing import check_offer
from erlconnect_backends.consul import cookies, plugin

LOADED = """
import sys
from erlconnect_backends.consul.plugin import ConsulPlugin
from erlconnect_backends.consul.cookies import erlconnect_cookie_sources
(backend,), (source,) = ConsulPlugin.erlconnect_backends(), erlconnect_cookie_sources()
source.create(source.settings(key="a"))
settings = backend.settings()
print("consul" in sys.modules)
backend.create(settings)
print("consul" in sys.modules)
"""


def test_py_consul_is_imported_when_consul_is_asked_and_not_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["False", "True"]


def test_the_offers_keep_the_contract_and_say_how_to_get_what_they_need() -> None:
    offers = [*plugin.ConsulPlugin.erlconnect_backends(), *cookies.erlconnect_cookie_sources()]
    for offer in offers:
        check_offer(offer)
        assert (offer.needs, offer.install) == (("consul",), "pip install 'erlconnect[consul]'")
    assert [offer.name for offer in offers] == ["consul", "consul-kv"]


@pytest.mark.parametrize(
    ("key", "value"), [("address", "a b"), ("basename", "app@host"), ("basename", "a b")]
)
def test_values_that_cannot_be_used_are_refused(key: str, value: str) -> None:
    with pytest.raises(UnknownSettingError, match=f"-o {key}="):
        backend(**{key: value})


def test_a_key_of_slashes_names_nothing() -> None:
    with pytest.raises(UnknownSettingError, match=r"-o cookie\.key=/"):
        cookie_source(key="/")
