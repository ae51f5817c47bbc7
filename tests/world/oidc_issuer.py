"""An OpenID Connect issuer on 127.0.0.1 that renews identity tokens, over TLS.

Written from OpenID Connect Discovery 1.0 and RFC 6749, 6. It proves nothing by itself: kubectl logs
in at it in the same tests.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

from world.kubernetes.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Mapping


def identity_token(*, expires: float, name: str = "me") -> str:
    """An unsigned JSON Web Token; ``expires`` is a POSIX time."""
    parts = [{"alg": "none"}, {"exp": int(expires), "sub": name}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in encoded), "sig"])


class OidcIssuer:
    """Listens while its context lasts. ``forms`` are the requests to the token endpoint.

    ``answer`` is the status and the body that the token endpoint gives.
    """

    def __init__(self) -> None:
        self.authority = Authority()
        self.asked: list[str] = []
        self.forms: list[Mapping[str, list[str]]] = []
        self.token = identity_token(expires=time.time() + 3600)
        self.answer: tuple[int, Any] = (200, {"id_token": self.token, "token_type": "Bearer"})
        self.endpoint = ""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.issuer = self
        context = self.authority.server_context()
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def user(self, **config: str) -> dict[str, Any]:
        """A kubeconfig's user whose token has expired and who trusts this issuer."""
        authority = base64.b64encode(self.authority.certificate).decode()
        settings = {
            "idp-issuer-url": self.url,
            "idp-certificate-authority-data": authority,
            "client-id": "kubernetes",
            "client-secret": "client-secret-1",
            "refresh-token": f"refresh-{self.url[-5:]}",
            "id-token": identity_token(expires=1_500_000_000),
            **config,
        }
        kept = {key: value for key, value in settings.items() if value}
        return {"auth-provider": {"name": "oidc", "config": kept}}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    issuer: OidcIssuer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that do not trust the certificate hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        issuer = self.server.issuer
        issuer.asked.append(self.path)
        endpoint = issuer.endpoint or f"{issuer.url}/token"
        self._give(200, {"issuer": issuer.url, "token_endpoint": endpoint})

    def do_POST(self) -> None:
        issuer = self.server.issuer
        issuer.asked.append(self.path)
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        issuer.forms.append(parse_qs(text))
        self._give(*issuer.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _give(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
