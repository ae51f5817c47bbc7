"""What the offers are, and that listing them costs nothing."""

from __future__ import annotations

import subprocess
import sys

from erlconnect.testing import check_offer
from erlconnect_backends.kubernetes import cookies, plugin

LOADED = """
import sys
from erlconnect_backends.kubernetes.cookies import EnvironmentCookiePlugin, ExecCookiePlugin
from erlconnect_backends.kubernetes.plugin import KubernetesPlugin, PortForwardPlugin
plugins = (ExecCookiePlugin, EnvironmentCookiePlugin)
sources = [plugin.erlconnect_cookie_sources()[0] for plugin in plugins]
(backend,) = KubernetesPlugin.erlconnect_backends()
(transport,) = PortForwardPlugin.erlconnect_transports()
for source in sources:
    source.create(source.settings())
settings = backend.settings(), transport.settings()
print({"kubernetes", "websockets", "yaml"} & set(sys.modules) or "none")
backend.create(settings[0])
print("kubernetes" in sys.modules, "websockets" in sys.modules)
"""
ASKED_DNS = """
import sys
from erlconnect.plugin_manager import Catalogue, Kind
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
        *plugin.KubernetesPlugin.erlconnect_backends(),
        *cookies.EnvironmentCookiePlugin.erlconnect_cookie_sources(),
        *cookies.ExecCookiePlugin.erlconnect_cookie_sources(),
        *plugin.PortForwardPlugin.erlconnect_transports(),
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
