"""Both sides of TLS over one socketpair: the handshake, and pumps that talk to each other."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
from world.certificates import TlsFiles, tls_files

from erlconnect.net.tls import Tls, TlsPump, strict, tls_handshake

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1024 * 1024
SECONDS = 10


@pytest.fixture(scope="module")
def files() -> Iterator[TlsFiles]:
    with tls_files() as made:
        yield made


class Wires(NamedTuple):
    client: socket.socket
    server: socket.socket


@contextmanager
def wires() -> Iterator[Wires]:
    pair = Wires(*socket.socketpair())
    for one in pair:
        one.setblocking(False)
    yield pair
    for one in pair:
        one.close()


def contexts(files: TlsFiles, *, trusted: bool = True) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    client = strict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    client.check_hostname = False
    authority = files.authority if trusted else files.stranger
    client.load_verify_locations(authority.certificate)
    server = strict(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    leaf = files.authority.leaf("both", "shop.test")
    server.load_cert_chain(leaf.certificate, leaf.key)
    return client, server


async def shaken(
    pair: Wires, client: ssl.SSLContext, server: ssl.SSLContext
) -> tuple[Tls | BaseException, Tls | BaseException]:
    """What each side gets: a session or an error."""

    async def dial() -> Tls:
        tls = await tls_handshake(pair.client, client, server_name="shop.test")
        await tls.send(pair.client)
        return tls

    async with asyncio.timeout(SECONDS):
        dialled, accepted = await asyncio.gather(
            dial(),
            tls_handshake(pair.server, server, server_side=True),
            return_exceptions=True,
        )
    return dialled, accepted


async def test_bytes_of_both_sides_arrive_as_they_went(files: TlsFiles) -> None:
    content = os.urandom(MEGABYTE) * 8
    with wires() as pair:
        dialled, accepted = await shaken(pair, *contexts(files))
        assert isinstance(dialled, Tls)
        assert isinstance(accepted, Tls)
        pumps = [
            TlsPump(wire.dup(), tls, name="test")
            for wire, tls in zip(pair, (dialled, accepted), strict=True)
        ]
        for pump in pumps:
            pump.start()
            pump.stream.settimeout(SECONDS)
        received = [bytearray(), bytearray()]
        threads = [
            *(threading.Thread(target=send, args=(pump, content)) for pump in pumps),
            *(
                threading.Thread(target=read, args=(pump, into))
                for pump, into in zip(pumps, received, strict=True)
            ),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert [bytes(one) == content for one in received] == [True, True]
        for pump in pumps:
            pump.stream.close()
            await asyncio.to_thread(pump.join, SECONDS)
            assert not pump.is_alive()
            assert pump.failure is None


def send(pump: TlsPump, content: bytes) -> None:
    pump.stream.sendall(content)
    pump.stream.shutdown(socket.SHUT_WR)


def read(pump: TlsPump, into: bytearray) -> None:
    while piece := pump.stream.recv(MEGABYTE):
        into.extend(piece)


async def test_whoever_is_not_trusted_is_told_so(files: TlsFiles) -> None:
    with wires() as pair:
        dialled, accepted = await shaken(pair, *contexts(files, trusted=False))
    assert isinstance(dialled, ssl.SSLCertVerificationError)
    assert isinstance(accepted, ssl.SSLError)
    assert accepted.reason == "TLSV1_ALERT_UNKNOWN_CA"


async def test_tls_before_1_2_is_refused(files: TlsFiles) -> None:
    client, server = contexts(files)
    server.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    server.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        server.maximum_version = ssl.TLSVersion.TLSv1_1
    with wires() as pair:
        dialled, accepted = await shaken(pair, client, server)
    assert isinstance(dialled, ssl.SSLError)
    assert isinstance(accepted, ssl.SSLError)


async def test_a_close_in_the_middle_is_an_end(files: TlsFiles) -> None:
    client, _ = contexts(files)
    with wires() as pair:
        pair.server.close()
        with pytest.raises(OSError, match=r"closed|pipe|reset"):
            await tls_handshake(pair.client, client)
