"""A stand-in for Railway's GraphQL API: one project, on loopback, over plain HTTP.

It answers the queries that erlconnect asks, by their names, and checks the token in the header that
Railway's documentation names for its kind. Railway's real API cannot be had in a test.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

PROJECT = "7f1c2a34-0000-4000-8000-000000000001"
ENVIRONMENT = "7f1c2a34-0000-4000-8000-000000000002"
SERVICE = "7f1c2a34-0000-4000-8000-000000000003"
PROJECT_TOKEN = "project-token-1c9d"
PERSON_TOKEN = "person-token-77aa"


class RailwayApi:
    """Serves until its context ends; ``endpoint`` is its address.

    It answers with ``status`` and ``raw`` where these are set, redirects to ``elsewhere``, and is
    silent while ``talks`` is not set. ``asked`` are the names of the queries.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = dict(variables)
        self.asked: list[str] = []
        self.status = 200
        self.raw: bytes | None = None
        self.elsewhere = ""
        self.talks = threading.Event()
        self.talks.set()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known = (
                    self.headers.get("Project-Access-Token") == PROJECT_TOKEN
                    or self.headers.get("Authorization") == f"Bearer {PERSON_TOKEN}"
                )
                answer = api.answer(question) if known else _not_authorized()
                body = json.dumps(answer).encode() if api.raw is None else api.raw
                api.talks.wait()
                self.send_response(302 if api.elsewhere else api.status)
                if api.elsewhere:
                    self.send_header("Location", api.elsewhere)
                self.send_header("Content-Length", str(len(body)))
                with suppress(ConnectionError):
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/graphql/v2"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return what Railway would for a query of this name and these variables."""
        name = question["query"].split("query ", 1)[1].split("(")[0].split("{")[0].strip()
        self.asked.append(name)
        wanted = question["variables"]
        if name == "tokenScope":
            return _data(projectToken={"projectId": PROJECT, "environmentId": ENVIRONMENT})
        if wanted["project"] != PROJECT:
            return {"errors": [{"message": "Project not found"}], "data": None}
        if name == "services":
            project = {
                "id": PROJECT,
                "name": "market",
                "environments": _edges({"id": ENVIRONMENT, "name": "production"}),
                "services": _edges({"id": SERVICE, "name": "shop"}),
            }
            return _data(project=project)
        assert (wanted["environment"], wanted["service"]) == (ENVIRONMENT, SERVICE)
        if name == "variables":
            return _data(variables=self.variables)
        return _data(deployments=_edges({"id": "d", "status": "SUCCESS", "createdAt": "now"}))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.talks.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _not_authorized() -> dict[str, Any]:
    return {"errors": [{"message": "Not Authorized"}], "data": None}


def _data(**fields: object) -> dict[str, Any]:
    return {"data": fields}


def _edges(*nodes: Mapping[str, str]) -> dict[str, Any]:
    return {"edges": [{"node": node} for node in nodes]}
