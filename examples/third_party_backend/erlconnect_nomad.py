"""Finds nodes in Nomad's own service registry.

Knows one address of Nomad's HTTP API, ``/v1/service/:name``; opens no connection to a node.
https://developer.hashicorp.com/nomad/api-docs/services
"""

from __future__ import annotations

import asyncio
import ssl
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from pydantic import BaseModel, Field, FilePath, TypeAdapter

from erlconnect.api import (
    LookupFailedError,
    LookupTimeoutError,
    NodeName,
    NoNodeFoundError,
    Offer,
    RefusedError,
    Settings,
    Target,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import ErlconnectError, Query, SessionApi

_SECONDS = 5.0
_MAX_BYTES = 16 * 1024 * 1024


class NomadSettings(Settings):
    """What a user may set: ``-o tag=blue`` or ``ERLCONNECT_NOMAD_TAG=blue``."""

    address: str = Field(
        default="http://127.0.0.1:4646",
        pattern="^https?://",
        description="Where Nomad's HTTP API is.",
    )
    namespace: str = Field(default="default", description="Nomad namespace of the service.")
    token_file: FilePath | None = Field(default=None, description="File that holds the ACL token.")
    ca_file: FilePath | None = Field(
        default=None, description="CA certificates to trust for https."
    )
    tag: str | None = Field(default=None, description="Only instances that carry this tag.")
    basename: str = Field(
        default="", description="Node name before the '@'; by default epmd tells it."
    )
    port: Literal["other", "dist", "epmd"] = Field(
        default="other",
        description="What the registered port is: distribution, epmd, or something else.",
    )


class _Instance(BaseModel):
    """What erlconnect needs of one entry of Nomad's answer."""

    allocation: str = Field(alias="AllocID")
    id: str = Field(alias="ID")
    datacenter: str = Field(alias="Datacenter")
    address: str = Field(alias="Address", min_length=1)
    port: int = Field(alias="Port")
    tags: list[str] | None = Field(alias="Tags")


class NomadBackend:
    """Gives the instances of a service, ordered by their allocation."""

    def __init__(self, settings: NomadSettings) -> None:
        self._settings = settings

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:  # noqa: ARG002 - the contract has it
        """Ask Nomad once; cancelled, it leaves a thread that gives up after five idle seconds."""
        try:
            async with asyncio.timeout(2 * _SECONDS):
                instances = await asyncio.to_thread(self._ask, query.service)
        except TimeoutError as error:
            raise LookupTimeoutError(
                f"Nomad at {self._settings.address} did not answer in time",
                remedy="Check -o address=URL and try again.",
            ) from error
        tag = self._settings.tag
        chosen = [instance for instance in instances if tag in (None, *(instance.tags or ()))]
        if not chosen:
            raise NoNodeFoundError(
                f"Nomad knows no instance of {query.service!r} in the namespace "
                f"{self._settings.namespace!r}" + (f" with the tag {tag!r}" if tag else ""),
                remedy="`nomad service list -namespace '*'` shows what there is.",
            )
        chosen.sort(key=lambda instance: (instance.allocation, instance.id))
        return [self._target(instance) for instance in chosen]

    def _target(self, instance: _Instance) -> Target:
        port = self._settings.port
        return Target(
            node=NodeName(name=self._settings.basename, host=instance.address),
            address=instance.address,
            dist_port=instance.port if port == "dist" else None,
            epmd_port=instance.port if port == "epmd" else 4369,
            facts={"allocation": instance.allocation, "datacenter": instance.datacenter},
        )

    def _ask(self, service: str) -> list[_Instance]:
        try:
            with self._opener().open(self._request(service), timeout=_SECONDS) as answer:
                return TypeAdapter(list[_Instance]).validate_json(answer.read(_MAX_BYTES))
        except (OSError, HTTPException, ValueError) as error:
            raise self._translated(error) from error

    def _opener(self) -> Any:
        tls = ssl.create_default_context(cafile=self._settings.ca_file)
        return build_opener(_NoRedirects, HTTPSHandler(context=tls))

    def _request(self, service: str) -> Request:
        settings = self._settings
        path = f"/v1/service/{quote(service, safe='')}"
        arguments = urlencode({"namespace": settings.namespace})
        request = Request(f"{settings.address.rstrip('/')}{path}?{arguments}")  # noqa: S310 - its pattern allows http only
        if settings.token_file:
            request.add_header("X-Nomad-Token", settings.token_file.read_text().strip())
        return request

    def _translated(self, error: Exception) -> ErlconnectError | TimeoutError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return reason
        if isinstance(error, HTTPError):
            error.close()
            reason = f"HTTP {error.code} {reason}"
        elif isinstance(error, ValueError):
            reason = "its answer is no list of service instances"
        asked = f"Nomad at {self._settings.address} could not be asked: {reason}"
        if isinstance(error, HTTPError) and error.code == HTTPStatus.FORBIDDEN:
            remedy = "Give a token that may namespace:read-job by -o token-file=PATH."
            return RefusedError(asked, remedy=remedy)
        return LookupFailedError(asked, remedy="Check -o address=URL and the Nomad agent.")


class _NoRedirects(HTTPRedirectHandler):
    """A redirect would carry the token to wherever it points."""

    def redirect_request(self, *_: Any) -> None:
        """Let the redirect count as an error."""


@hookimpl
def erlconnect_backends() -> Sequence[Offer]:
    """Offer the backend under the name of its entry point."""
    return [
        Offer(
            name="nomad",
            summary="Finds the instances of a service in Nomad's service registry",
            settings=NomadSettings,
            create=NomadBackend,
        )
    ]
