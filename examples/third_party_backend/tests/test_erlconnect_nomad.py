"""The backend against a server that answers as Nomad's HTTP API does."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from erlconnect_nomad import NomadBackend, NomadSettings, erlconnect_backends

from erlconnect.api import (
    LookupFailedError,
    LookupTimeoutError,
    NodeName,
    NoNodeFoundError,
    Query,
    RefusedError,
)
from erlconnect.testing import StandaloneSession, check_backend, check_offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from erlconnect.api import Target

SHOP = Query(service="shop")
TOKEN = "7c1b6f9e-0000-4000-8000-3f1d2c4b5a69"


class FakeNomad(ThreadingHTTPServer):
    """Knows instances by namespace and service; may want a token, fail or keep silent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.services: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.token = ""
        self.answer: tuple[int, bytes] | None = None
        self.speaking = threading.Event()
        self.speaking.set()


class _Handler(BaseHTTPRequestHandler):
    server: FakeNomad

    def do_GET(self) -> None:
        nomad = self.server
        nomad.speaking.wait()
        if self.headers.get("X-Nomad-Token", "") != nomad.token:
            self._send(403, b"Permission denied")
            return
        parts = urlsplit(self.path)
        namespace = parse_qs(parts.query)["namespace"][0]
        service = parts.path.removeprefix("/v1/service/")
        found = nomad.services.get((namespace, service), [])
        self._send(*(nomad.answer or (200, json.dumps(found).encode())))

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 307:
            self.send_header("Location", f"{self.server.url}/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


def instance(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "ID": f"_nomad-task-{number}",
        "ServiceName": "shop",
        "Namespace": "default",
        "NodeID": "17a6d1c0",
        "Datacenter": "dc1",
        "JobID": "shop",
        "AllocID": f"alloc-{number}",
        "Tags": ["blue"],
        "Address": f"10.0.0.{number}",
        "Port": 25000 + number,
        "CreateIndex": 18,
        "ModifyIndex": 18,
        **changes,
    }


@pytest.fixture
def nomad() -> Iterator[FakeNomad]:
    with FakeNomad() as server:
        server.services["default", "shop"] = [instance(2), instance(1, Tags=None)]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.speaking.set()
        server.shutdown()
        thread.join()


async def discover(nomad: FakeNomad, **settings: Any) -> Sequence[Target]:
    backend = NomadBackend(NomadSettings(address=nomad.url, **settings))
    return await backend.discover(SHOP, StandaloneSession())


def test_the_offer_keeps_the_contract() -> None:
    [offer] = erlconnect_backends()
    check_offer(offer)


async def test_the_backend_keeps_the_contract(nomad: FakeNomad) -> None:
    backend = NomadBackend(NomadSettings(address=nomad.url))
    await check_backend(backend, SHOP, missing=Query(service="nobody"))


async def test_instances_become_targets_in_the_order_of_their_allocations(
    nomad: FakeNomad,
) -> None:
    first, second = await discover(nomad)
    assert (first.address, second.address) == ("10.0.0.1", "10.0.0.2")
    assert first.node == NodeName(name="", host="10.0.0.1")
    assert (first.dist_port, first.epmd_port) == (None, 4369)
    assert first.facts == {"allocation": "alloc-1", "datacenter": "dc1"}


async def test_settings_choose_instances_names_and_ports(nomad: FakeNomad) -> None:
    [target] = await discover(nomad, tag="blue", basename="shop", port="dist")
    assert (str(target.node), target.dist_port) == ("shop@10.0.0.2", 25002)
    assert [target.epmd_port for target in await discover(nomad, port="epmd")] == [25001, 25002]


async def test_another_namespace_is_asked_where_it_is_set(nomad: FakeNomad) -> None:
    with pytest.raises(NoNodeFoundError, match="in the namespace 'prod'"):
        await discover(nomad, namespace="prod")
    nomad.services["prod", "shop"] = [instance(7)]
    assert [target.address for target in await discover(nomad, namespace="prod")] == ["10.0.0.7"]


async def test_no_instance_with_the_tag_is_not_an_empty_answer(nomad: FakeNomad) -> None:
    with pytest.raises(NoNodeFoundError, match="with the tag 'green'"):
        await discover(nomad, tag="green")


async def test_the_token_is_sent_and_not_shown(nomad: FakeNomad, tmp_path: Path) -> None:
    nomad.token = TOKEN
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    assert await discover(nomad, token_file=token_file)
    nomad.token = "another"
    with pytest.raises(RefusedError) as caught:
        await discover(nomad, token_file=token_file)
    assert TOKEN not in caught.value.message + caught.value.remedy


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, b"no cluster leader"), "HTTP 500 Internal Server Error"),
        ((307, b""), "HTTP 307 Temporary Redirect"),
        ((200, b"<html>"), "its answer is no list of service instances"),
        ((200, b'[{"ID": "x"}]'), "its answer is no list of service instances"),
    ],
)
async def test_a_failed_lookup_is_never_no_nodes(
    nomad: FakeNomad, answer: tuple[int, bytes], message: str
) -> None:
    nomad.answer = answer
    with pytest.raises(LookupFailedError, match=message):
        await discover(nomad)


async def test_an_agent_that_is_not_there_is_a_failed_lookup() -> None:
    backend = NomadBackend(NomadSettings(address="http://127.0.0.1:9"))
    with pytest.raises(LookupFailedError, match="Connection refused"):
        await backend.discover(SHOP, StandaloneSession())


async def test_an_agent_that_keeps_silent_is_a_timeout(
    nomad: FakeNomad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlconnect_nomad._SECONDS", 0.2)
    nomad.speaking.clear()
    with pytest.raises(LookupTimeoutError, match="did not answer in time"):
        await discover(nomad)
