"""Plain HTTPS requests to the API server double, by a client that knows nothing of Kubernetes."""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from world.kubernetes.api import KubernetesApi

_SECONDS = 20


@contextmanager
def asking(
    api: KubernetesApi,
    path: str,
    *,
    method: str = "GET",
    token: str | None = None,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[http.client.HTTPResponse]:
    """One request and its response; without ``token`` it is the administrator's."""
    trusted = ssl.create_default_context(cadata=api.authority.certificate.decode())
    connection = http.client.HTTPSConnection(
        "127.0.0.1", api.port, timeout=_SECONDS, context=trusted
    )
    shown = api.token if token is None else token
    sent = {"Authorization": f"Bearer {shown}"} if shown else {}
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {**sent, **(headers or {})})
        response = connection.getresponse()
        with response:
            yield response
    finally:
        connection.close()


def ask(api: KubernetesApi, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """The status and the decoded body of one request."""
    with asking(api, path, **options) as response:
        return response.status, json.load(response)
