"""The offer and its settings: listing costs nothing, and how a name server is written."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from backends.dns.searching import RecordingSession, settings_of
from world.ports import free_port

from erlconnect.api import Query
from erlconnect.errors import UnknownSettingError
from erlconnect.net.dial import host_and_port
from erlconnect_backends.dns.plugin import erlconnect_backends

if TYPE_CHECKING:
    from erlconnect.api import Backend

LOADED = """
import sys
from erlconnect_backends.dns.plugin import erlconnect_backends
(offer,) = erlconnect_backends()
settings = offer.settings(server="127.0.0.1:53", record="srv")
print("dns" in sys.modules)
offer.create(settings)
print("dns" in sys.modules)
"""


def test_dnspython_is_imported_when_the_backend_runs_and_not_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["False", "True"]


async def test_the_offer_makes_a_backend_that_finds_nodes(server: str) -> None:
    (offer,) = erlconnect_backends()
    backend: Backend = offer.create(settings_of(server=server, basename="app"))
    found = await backend.discover(Query(service="ranked.cluster.local"), RecordingSession())
    assert str(found[0].node) == "app@heavy-a.ranked.cluster.local"


def test_the_offer_says_what_it_needs_and_how_to_get_it() -> None:
    (offer,) = erlconnect_backends()
    assert (offer.name, offer.needs) == ("dns", ("dns",))
    assert offer.install == "pip install 'erlconnect[dns]'"


def test_the_defaults_ask_the_system_for_anything() -> None:
    settings = settings_of()
    assert (settings.server, settings.record, settings.basename) == (None, "auto", "")
    assert settings.tcp is False


@pytest.mark.parametrize(
    ("key", "value"),
    [("record", "mx"), ("basename", "app@host"), ("basename", "a b"), ("tcp", "sometimes")],
)
def test_values_that_cannot_be_used_are_refused(key: str, value: str) -> None:
    with pytest.raises(UnknownSettingError, match=f"-o {key}="):
        settings_of(**{key: value})


@pytest.mark.parametrize(
    "text",
    [
        "kubernetes://",
        "kubernetes://kube-dns",
        "kubernetes://kube-system/",
        "kubernetes:///kube-dns",
        "kubernetes://kube-system/kube-dns/53",
        "kubernetes://Kube-System/kube-dns",
        "kubernetes://kube-system/kube dns",
    ],
)
def test_anything_else_is_refused_with_the_setting_named(text: str) -> None:
    with pytest.raises(UnknownSettingError, match="-o server="):
        settings_of(server=text)


def test_a_host_may_be_called_kubernetes() -> None:
    port = free_port()
    assert settings_of(server=f"kubernetes:{port}").server == f"kubernetes:{port}"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.96.0.10", "10.96.0.10", 53),
        ("127.0.0.1:5353", "127.0.0.1", 5353),
        ("ns.example:53", "ns.example", 53),
        ("[fd12::10]", "fd12::10", 53),
        ("[::1]:5353", "::1", 5353),
        ("[fe80::1%eth0]:53", "fe80::1%eth0", 53),
    ],
)
def test_the_setting_is_a_host_and_perhaps_a_port(text: str, host: str, port: int) -> None:
    assert host_and_port(text, default_port=53) == (host, port)
    assert settings_of(server=text).server == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":53",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:domain",
        "::1",
        "fd12::10:53",
        "[10.0.0.1]:53",
        "[nonsense]",
        "tcp://10.96.0.10",
        "two words",
    ],
)
def test_anything_else_is_refused_with_the_setting_named_of_servers(text: str) -> None:
    with pytest.raises(UnknownSettingError, match="-o server="):
        settings_of(server=text)
