from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from backends.dns.searching import Listener, settings_of

from erlconnect.api import Query
from erlconnect.errors import UnknownSettingError
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
    found = await backend.discover(Query(service="ranked.cluster.local"), Listener())
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
