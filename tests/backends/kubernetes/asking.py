"""Short ways to ask a cluster: the offers as a session makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import Query, Ref
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.testing import StandaloneSession
from erlconnect_backends.kubernetes.api_client import ApiClient
from erlconnect_backends.kubernetes.backend import KubernetesBackend
from erlconnect_backends.kubernetes.cluster_access import cluster_access
from erlconnect_backends.kubernetes.plugin import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from erlconnect.api import CookieSource, Settings, Target
    from erlconnect_backends.kubernetes.cluster_access import ClusterAccess

NAMESPACE: Final = "shop"


@dataclass(frozen=True, slots=True)
class Asking:
    """Somebody with a kubeconfig; options of the command line are written with underscores."""

    kubeconfig: Path

    def backend(self, **options: str) -> KubernetesBackend:
        catalogue = Catalogue()
        place = {"kubeconfig": self.kubeconfig}
        settings = made_settings(catalogue, Kind.BACKEND, "kubernetes", options, **place)
        backend = catalogue.create(Kind.BACKEND, "kubernetes", settings)
        assert isinstance(backend, KubernetesBackend)
        return backend

    async def targets(self, target: str, **options: str) -> Sequence[Target]:
        session = StandaloneSession()
        return await self.backend(**options).discover(Query(service=target), session)

    async def pods(self, target: str, **options: str) -> list[str]:
        return [found.facts["pod"] for found in await self.targets(target, **options)]

    def source(self, name: str, target: Target, **options: str) -> CookieSource:
        """The cookie source of that name as ``target`` refers to it."""
        ref = next((ref for ref in target.cookies if ref.name == name), Ref(name=name))
        catalogue = Catalogue()
        settings = made_settings(catalogue, Kind.COOKIE_SOURCE, name, options, **ref.settings)
        return catalogue.create(Kind.COOKIE_SOURCE, name, settings)

    async def access(self, **options: str) -> ClusterAccess:
        return await cluster_access(AccessSettings(kubeconfig=self.kubeconfig, **options))

    async def rest(self, **options: str) -> ApiClient:
        return ApiClient(await self.access(**options))


def made_settings(
    catalogue: Catalogue, kind: Kind, name: str, options: dict[str, str], **inherited: object
) -> Settings:
    return catalogue.settings(
        kind,
        name,
        options={key.replace("_", "-"): value for key, value in options.items()},
        inherited=inherited,
        environment={},
    )
