"""Variables mean what they mean to the real consul program: both ask the same listener."""

from __future__ import annotations

import asyncio
import re
import subprocess
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from world.consul import PROGRAM
from world.missing import require

from erlconnect.api import ConfigurationError, ErlconnectError
from erlconnect_backends.consul.access import AccessSettings, access_of
from erlconnect_backends.consul.agent import ConsulClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

TLS = "a TLS handshake"
_TLS_RECORD = 0x16
_COMPARED = ("authorization", "x-consul-token")
_ASKED = re.compile(r'Get "([^"]+)":')


@asynccontextmanager
async def first_bytes(path: Path | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Listen on loopback or at ``path``; what each connection begins with is in the list."""
    received: list[bytes] = []
    handlers: list[asyncio.Task[None]] = []

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if handler := asyncio.current_task():
            handlers.append(handler)
        with suppress(ConnectionError):
            received.append(await reader.read(65536))
        writer.close()

    if path:
        server = await asyncio.start_unix_server(receive, path)
    else:
        server = await asyncio.start_server(receive, "127.0.0.1", 0)
    async with server:
        port = 0 if path else server.sockets[0].getsockname()[1]
        yield (f"unix://{path}" if path else f"127.0.0.1:{port}"), received
        await asyncio.gather(*handlers)


async def consul_program(variables: Mapping[str, str]) -> str:
    """Have the real program ask for the key ``x``; return what it says."""
    require("consul", PROGRAM is not None)
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        *("kv", "get", "x"),
        env={**variables, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode()


async def erlconnect(variables: Mapping[str, str], **settings: str) -> None:
    """Ask for the key ``x`` as the cookie source does; the listener answers nothing."""
    access = access_of(AccessSettings.model_validate(settings), variables)
    with suppress(ErlconnectError):
        await ConsulClient(access).value("x")


def meaning(first: bytes) -> str | list[str]:
    """What of a connection's first bytes depends on variables."""
    if first[:1] == bytes([_TLS_RECORD]):
        return TLS
    request, *headers = first.decode().split("\r\n")
    compared = [line for line in headers if line.partition(":")[0].lower() in _COMPARED]
    # A namespace is the only parameter; the library ends a path without one in "?".
    return [request.replace("? ", " "), *sorted(compared)]


@pytest.mark.parametrize(
    ("scheme", "variables"),
    [
        ("", {}),
        ("http://", {}),
        ("https://", {}),
        ("", {"CONSUL_HTTP_SSL": "true"}),
        ("http://", {"CONSUL_HTTP_SSL": "true"}),
        ("http://", {"CONSUL_HTTP_SSL": "1"}),
        ("http://", {"CONSUL_HTTP_SSL": "T"}),
        ("http://", {"CONSUL_HTTP_SSL": "false"}),
        ("https://", {"CONSUL_HTTP_SSL": "false"}),
        ("https://", {"CONSUL_HTTP_SSL": "0"}),
        ("", {"CONSUL_HTTP_SSL_VERIFY": "true"}),
        ("", {"CONSUL_HTTP_TOKEN": "  a-token "}),
        ("", {"CONSUL_NAMESPACE": "team"}),
        ("", {"CONSUL_HTTP_AUTH": "me:pass:word"}),
        ("http://", {"CONSUL_HTTP_AUTH": "me", "CONSUL_HTTP_TOKEN": "a-token"}),
        ("", {"CONSUL_HTTP_TOKEN_FILE": "/dev/null", "CONSUL_HTTP_TOKEN": "a-token"}),
    ],
)
async def test_the_same_goes_over_the_wire(scheme: str, variables: dict[str, str]) -> None:
    variables = {"CONSUL_HTTP_TOKEN": "t", **variables}
    async with first_bytes() as (address, received):
        asked = {**variables, "CONSUL_HTTP_ADDR": f"{scheme}{address}"}
        await consul_program(asked)
        await erlconnect(asked)
    theirs, ours = received[0], received[-1]
    assert meaning(ours) == meaning(theirs)
    assert len(received) >= 2


@pytest.mark.parametrize("tls", ["true", "false"])
async def test_tls_is_for_a_unix_socket_too(tmp_path: Path, tls: str) -> None:
    async with first_bytes(tmp_path / "socket") as (address, received):
        asked = {"CONSUL_HTTP_ADDR": address, "CONSUL_HTTP_SSL": tls}
        await consul_program(asked)
        await erlconnect(asked)
    theirs, ours = received[0], received[-1]
    assert meaning(ours) == meaning(theirs)
    assert (meaning(ours) == TLS) == (tls == "true")


async def test_an_address_of_the_command_line_does_not_undo_tls_either() -> None:
    variables = {"CONSUL_HTTP_SSL": "true", "CONSUL_HTTP_TOKEN": "secret-token"}
    async with first_bytes() as (address, received):
        await erlconnect(variables, address=f"http://{address}")
    assert [meaning(one) for one in received] == [TLS]


@pytest.mark.parametrize("text", ["yes", "on", "enabled", " true"])
async def test_whoever_asks_for_tls_in_other_words_gets_no_plain_text(text: str) -> None:
    """The consul program warns and goes on without TLS; nothing is sent here."""
    async with first_bytes() as (address, received):
        with pytest.raises(ConfigurationError, match="CONSUL_HTTP_SSL=") as caught:
            await erlconnect({"CONSUL_HTTP_ADDR": address, "CONSUL_HTTP_SSL": text})
        assert "true or false" in caught.value.remedy
        assert received == []
        await erlconnect({"CONSUL_HTTP_ADDR": f"https://{address}", "CONSUL_HTTP_SSL": text})
    assert [meaning(one) for one in received] == [TLS]


@pytest.mark.parametrize("tls", ["", "true"])
@pytest.mark.parametrize(
    "address", ["127.0.0.9", "http://127.0.0.9", "https://127.0.0.9", "[::1]", "127.0.0.9:1"]
)
async def test_an_address_has_the_port_of_its_scheme(address: str, tls: str) -> None:
    variables = {"CONSUL_HTTP_ADDR": address, **({"CONSUL_HTTP_SSL": tls} if tls else {})}
    said = await consul_program(variables)
    asked = _ASKED.search(said)
    assert asked, said
    theirs = urlsplit(asked[1])
    ours = access_of(AccessSettings(), variables).address
    usual = {"http": 80, "https": 443}[theirs.scheme]
    assert (ours.scheme, ours.host, ours.port) == (
        theirs.scheme,
        theirs.hostname,
        theirs.port or usual,
    )
