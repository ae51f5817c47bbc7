"""Requests over TCP, a Unix socket and TLS to real agents, and answers that no agent gives."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from backends.consul.catalogues import found
from world.consul import PROGRAM, ConsulAgent
from world.missing import require
from world.ports import free_port

from erlconnect.api import ConfigurationError, LookupFailedError, LookupTimeoutError
from erlconnect_backends.consul.access import AccessSettings, access_of
from erlconnect_backends.consul.agent import exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

TLS = """
ports {{ https = {port} }}
verify_incoming_https = true
ca_file = "{folder}/consul-agent-ca.pem"
cert_file = "{folder}/dc1-server-consul-0.pem"
key_file = "{folder}/dc1-server-consul-0-key.pem"
"""


@asynccontextmanager
async def answering(content: bytes | None) -> AsyncIterator[str]:
    """Answer every request with these bytes; with ``None`` never."""

    handlers: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if handler := asyncio.current_task():
            handlers.append(handler)
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            if content is None:
                await reader.read()
            else:
                writer.write(content)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.gather(*handlers)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Consul's own CA with a certificate of a server and one of a client."""
    require("consul", PROGRAM is not None)
    folder = tmp_path_factory.mktemp("certificates")
    for words in (["ca", "create"], ["cert", "create", "-server"], ["cert", "create", "-client"]):
        subprocess.run(
            [str(PROGRAM), "tls", *words], cwd=folder, check=True, capture_output=True, timeout=30
        )
    return folder


@pytest.fixture(scope="module")
def https_port(certificates: Path) -> Iterator[int]:
    """Of an agent that demands a certificate of its clients."""
    port = free_port()
    with ConsulAgent(settings=TLS.format(port=port, folder=certificates)) as agent:
        agent.register({"Name": "shop", "ID": "shop", "Address": "10.5.0.1", "Port": 25001})
        yield port


async def test_an_agent_behind_a_unix_socket_is_asked(agent: ConsulAgent) -> None:
    targets = await found("shop", address=f"unix://{agent.socket_path}")
    assert [target.facts["id"] for target in targets] == ["shop-1", "shop-2"]


async def test_certificates_are_shown_and_checked(https_port: int, certificates: Path) -> None:
    (target,) = await found(
        "shop",
        address=f"https://127.0.0.1:{https_port}",
        ca_file=str(certificates / "consul-agent-ca.pem"),
        client_cert=str(certificates / "dc1-client-consul-0.pem"),
        client_key=str(certificates / "dc1-client-consul-0-key.pem"),
    )
    assert target.address == "10.5.0.1"


def services_of_the_program(variables: Mapping[str, str]) -> list[str]:
    """What the real consul program finds with these variables."""
    listed = subprocess.run(
        [str(PROGRAM), "catalog", "services"],
        env=variables,
        capture_output=True,
        check=True,
        timeout=30,
    )
    return listed.stdout.decode().split()


async def test_the_agents_own_certificate_vouches_for_it_as_for_the_consul_program(
    https_port: int, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "CONSUL_HTTP_ADDR": f"https://127.0.0.1:{https_port}",
        "CONSUL_CACERT": str(certificates / "dc1-server-consul-0.pem"),
        "CONSUL_CLIENT_CERT": str(certificates / "dc1-client-consul-0.pem"),
        "CONSUL_CLIENT_KEY": str(certificates / "dc1-client-consul-0-key.pem"),
    }
    assert "shop" in services_of_the_program(variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    (target,) = await found("shop")
    assert target.address == "10.5.0.1"


async def test_a_folder_of_authorities_is_read_as_the_consul_program_does(
    https_port: int, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = certificates / "consul-agent-ca.pem"
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "any-name.pem").write_bytes(authority.read_bytes())
    variables = {
        "CONSUL_HTTP_ADDR": f"https://127.0.0.1:{https_port}",
        "CONSUL_CAPATH": str(tmp_path),
        "CONSUL_CLIENT_CERT": str(certificates / "dc1-client-consul-0.pem"),
        "CONSUL_CLIENT_KEY": str(certificates / "dc1-client-consul-0-key.pem"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert "shop" in services_of_the_program(variables)
    assert await found("shop")


async def test_a_file_of_authorities_comes_before_a_folder(
    https_port: int, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_bytes((certificates / "consul-agent-ca.pem").read_bytes())
    monkeypatch.setenv("CONSUL_CAPATH", str(tmp_path))
    monkeypatch.setenv("CONSUL_CACERT", str(certificates / "dc1-client-consul-0.pem"))
    with pytest.raises(LookupFailedError, match="not trusted"):
        await found("shop", address=f"https://127.0.0.1:{https_port}")
    with pytest.raises(ConfigurationError, match="CA certificates in"):
        access_of(AccessSettings(address="https://a"), {"CONSUL_CAPATH": str(tmp_path / "none")})


async def test_an_unknown_authority_is_not_trusted(https_port: int) -> None:
    with pytest.raises(LookupFailedError, match="not trusted") as caught:
        await found("shop", address=f"https://127.0.0.1:{https_port}")
    assert "-o ca-file=" in caught.value.remedy


async def test_a_certificate_for_another_name_is_not_trusted(
    https_port: int, certificates: Path
) -> None:
    with pytest.raises(LookupFailedError, match=r"not valid for 'other\.example'"):
        await found(
            "shop",
            address=f"https://127.0.0.1:{https_port}",
            ca_file=str(certificates / "consul-agent-ca.pem"),
            tls_server_name="other.example",
        )


async def test_the_name_to_expect_is_a_setting(https_port: int, certificates: Path) -> None:
    options = {"ca_file": str(certificates / "consul-agent-ca.pem")}
    options["client_cert"] = str(certificates / "dc1-client-consul-0.pem")
    options["client_key"] = str(certificates / "dc1-client-consul-0-key.pem")
    address = f"https://127.0.0.1:{https_port}"
    assert await found("shop", address=address, tls_server_name="server.dc1.consul", **options)


@pytest.mark.parametrize("value", ["false", "0", "F"])
async def test_an_agent_whose_certificate_would_not_be_checked_is_not_asked(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token would go to whoever answers, and a cookie would come from there."""
    monkeypatch.setenv("CONSUL_HTTP_SSL_VERIFY", value)
    with socket.create_server(("127.0.0.1", 0)) as agent:
        with pytest.raises(ConfigurationError, match="CONSUL_HTTP_SSL_VERIFY=false") as caught:
            await found("shop", address=f"https://127.0.0.1:{agent.getsockname()[1]}")
        assert "CONSUL_CACERT" in caught.value.remedy
        agent.setblocking(False)
        with pytest.raises(BlockingIOError):
            agent.accept()


async def test_an_agent_that_wants_a_certificate_says_so(
    https_port: int, certificates: Path
) -> None:
    with pytest.raises(LookupFailedError, match=r"TLS with Consul at .* failed") as caught:
        await found(
            "shop",
            address=f"https://127.0.0.1:{https_port}",
            ca_file=str(certificates / "consul-agent-ca.pem"),
        )
    assert "-o client-cert=" in caught.value.remedy


async def test_http_and_https_are_not_mixed_up_in_silence(
    agent: ConsulAgent, https_port: int
) -> None:
    with pytest.raises(LookupFailedError, match="TLS with Consul at") as tls:
        await found("shop", address=f"https://127.0.0.1:{agent.http_port}")
    assert "plain HTTP" in tls.value.remedy
    with pytest.raises(LookupFailedError, match="400") as plain:
        await found("shop", address=f"http://127.0.0.1:{https_port}")
    assert "write https:// before it" in plain.value.remedy


async def test_nobody_listens() -> None:
    with pytest.raises(LookupFailedError, match="could not be asked: Connection refused"):
        await found("shop", address=f"127.0.0.1:{free_port()}")
    with pytest.raises(LookupFailedError, match="No such file or directory"):
        await found("shop", address="unix:///nowhere/consul.sock")


async def test_silence_has_a_deadline() -> None:
    async with answering(None) as address:
        access = access_of(AccessSettings(address=address), {})
        with pytest.raises(LookupTimeoutError, match=r"did not answer within 0\.2 s"):
            await exchange(access, "/v1/status/leader", headers={}, seconds=0.2)


async def test_a_discovery_has_a_deadline_for_all_its_questions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("erlconnect_backends.consul.backend._SECONDS", 0.2)
    async with answering(None) as address:
        with pytest.raises(LookupTimeoutError, match=r"longer than 0\.2 s to answer for shop"):
            await found("shop", address=address)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[",
    ],
)
async def test_no_http_or_half_an_answer(content: bytes) -> None:
    async with answering(content) as address:
        with pytest.raises(LookupFailedError, match="does not speak HTTP, or stopped in the mid"):
            await found("shop", address=address)


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'[{"Node": 1}]', b"[[]]", b"null", b'[{"Checks": "secret"}]']
)
@pytest.mark.parametrize("index", [b"", b"X-Consul-Index: 7\r\n"])
async def test_http_that_is_not_consuls(body: bytes, index: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n" % (index, len(body))
    async with answering(head + body) as address:
        with pytest.raises(LookupFailedError, match="is no Consul agent") as caught:
            await found("shop", address=address)
    assert caught.value.__cause__ is None


async def test_a_server_without_the_api_is_no_consul() -> None:
    async with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as address:
        with pytest.raises(LookupFailedError, match="is no Consul agent"):
            await found("shop", address=address)


async def test_a_cluster_without_a_leader_is_told() -> None:
    body = b"No cluster leader"
    head = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with answering(head + body) as address:
        with pytest.raises(LookupFailedError, match=r"500 \(No cluster leader\)") as caught:
            await found("shop", address=address)
    assert "There is no leader now" in caught.value.remedy


async def test_an_answer_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erlconnect_backends.consul.agent._MAX_ANSWER_BYTES", 1 << 20)
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2 << 20)) as address:
        with pytest.raises(LookupFailedError, match="a longer answer than"):
            await found("shop", address=address)


async def test_a_proxy_of_the_environment_never_sees_the_token(
    agent: ConsulAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        assert await found("shop", address=agent.address)
        with pytest.raises(BlockingIOError):
            proxy.accept()
