"""What the offers are, and that listing them costs nothing."""

from __future__ import annotations

import subprocess
import sys

from erlconnect.testing import check_offer
from erlconnect_backends.kubernetes_cluster import (
    cookie_by_exec,
    cookie_in_environment,
    discovery,
    port_forward,
)

LOADED = """
import sys
from erlconnect_backends.kubernetes_cluster import (
    cookie_by_exec, cookie_in_environment, discovery, port_forward
)
sources = [each.erlconnect_cookie_sources()[0] for each in (cookie_by_exec, cookie_in_environment)]
(backend,), (transport,) = discovery.erlconnect_backends(), port_forward.erlconnect_transports()
for source in sources:
    source.create(source.settings())
settings = backend.settings(), transport.settings()
print({"kubernetes", "websockets", "yaml"} & set(sys.modules) or "none")
backend.create(settings[0])
print("kubernetes" in sys.modules, "websockets" in sys.modules)
"""

ASKED_DNS = """
import sys
from erlconnect.plugin_catalogue import Catalogue, Kind
catalogue = Catalogue()
catalogue.create(Kind.BACKEND, "dns", catalogue.offer(Kind.BACKEND, "dns").settings())
print({"kubernetes", "websockets"} & set(sys.modules) or "none")
"""


def printed(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.split()


def test_the_libraries_are_imported_when_a_cluster_is_asked_and_not_before() -> None:
    assert printed(LOADED) == ["none", "True", "False"]


def test_other_backends_import_none_of_them() -> None:
    assert printed(ASKED_DNS) == ["none"]


def test_the_offers_keep_the_contract_and_say_how_to_get_what_they_need() -> None:
    offers = [
        *discovery.erlconnect_backends(),
        *cookie_in_environment.erlconnect_cookie_sources(),
        *cookie_by_exec.erlconnect_cookie_sources(),
        *port_forward.erlconnect_transports(),
    ]
    for offer in offers:
        check_offer(offer)
        assert offer.needs[0] == "kubernetes"
        assert offer.install == "pip install 'erlconnect[kubernetes]'"
    assert [offer.name for offer in offers] == [
        "kubernetes",
        "kubernetes-env",
        "kubernetes-exec",
        "kubernetes-port-forward",
    ]
