"""The offer ``consul-connect`` and what may be set."""

from __future__ import annotations

import sys

import pydantic
import pytest
from backends.consul.connect.opening import target

from erlconnect.api import ConfigurationError, UsageError
from erlconnect.testing import check_offer
from erlconnect_backends.consul.connect import ConnectTransport
from erlconnect_backends.consul.plugin import ConnectPlugin, ConnectSettings


def test_the_offer_is_one() -> None:
    (offer,) = ConnectPlugin.erlconnect_transports()
    check_offer(offer)
    assert offer.name == "consul-connect"


def test_by_default_the_source_is_erlconnect_and_the_way_is_found() -> None:
    settings = ConnectSettings()
    assert (settings.source, settings.mode) == ("erlconnect", "auto")


@pytest.mark.parametrize("mode", ["native", "proxy"])
def test_an_upstream_goes_with_no_other_mode(mode: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=f"mode={mode} takes no upstream"):
        ConnectSettings.model_validate({"mode": mode, "upstream": "127.0.0.1:9191"})


@pytest.mark.parametrize("source", ["", "two words", "web:80", "a/b"])
def test_a_source_that_no_service_can_be_called(source: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="source"):
        ConnectSettings(source=source)


@pytest.mark.parametrize("upstream", ["127.0.0.1:", "127.0.0.1:0", "host:70000", ":9191"])
async def test_an_upstream_that_is_no_place(upstream: str) -> None:
    with pytest.raises(ConfigurationError, match="neither HOST:PORT nor a name"):
        async with ConnectTransport(ConnectSettings(upstream=upstream)).open(target(4444)):
            pass


async def test_without_a_destination_it_has_to_be_named() -> None:
    with pytest.raises(UsageError, match="does not know to which service"):
        async with ConnectTransport(ConnectSettings()).open(target(4444)):
            pass


def test_the_settings_load_no_library_for_consul() -> None:
    import subprocess

    program = (
        "import sys, erlconnect_backends.consul.plugin as mesh;"
        "mesh.ConnectPlugin.erlconnect_transports(); print('consul' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert ran.stdout == "False\n"
