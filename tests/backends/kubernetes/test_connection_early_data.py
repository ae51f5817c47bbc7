"""An API server that speaks TLS 1.2 and does not wait for the request."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest
from backends.kubernetes.asking import NAMESPACE, Asking
from world.kubernetes.certificates import Authority
from world.kubernetes.kubeconfig import Kubeconfig, by_token

from erlconnect.api import LookupFailedError
from erlconnect_backends.kubernetes.requests import POD, all_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PODS = all_of(POD, namespace=NAMESPACE)
BODY: Final = json.dumps({"kind": "PodList", "items": []}).encode()
ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
SECONDS: Final = 10.0


@contextmanager
def speaking_early(said: bytes, *, close: bool) -> Iterator[tuple[Authority, int]]:
    """Run a server whose Finished, what it says and its close_notify are one segment."""
    authority = Authority()
    context = authority.server_context()
    # The server's Finished is the last message of the handshake in TLS 1.2 only.
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(SECONDS)

        def serve() -> None:
            # A question that got no answer is asked again.
            with suppress(OSError):
                while True:
                    wire, _ = listening.accept()
                    with wire:
                        wire.settimeout(SECONDS)
                        wire.sendall(_finished_and(wire, context, said, close=close))
                        while wire.recv(65536):
                            pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield authority, listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(SECONDS)
        assert not thread.is_alive()


def _finished_and(
    wire: socket.socket, context: ssl.SSLContext, said: bytes, *, close: bool
) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            wire.sendall(outgoing.read())
            incoming.write(wire.recv(65536))
        else:
            break
    if said:
        tls.write(said)
    if close:
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
    return outgoing.read()


def asking_at(authority: Authority, port: int, folder: Path) -> Asking:
    config = Kubeconfig().context(
        "test",
        server=f"https://127.0.0.1:{port}",
        authority=authority.certificate,
        user=by_token("some-token"),
    )
    return Asking(config.write(folder / "config"))


@pytest.mark.parametrize("close", [False, True])
async def test_what_comes_with_the_last_of_the_handshake_is_read(
    tmp_path: Path, *, close: bool
) -> None:
    with speaking_early(ANSWER, close=close) as (authority, port):
        rest = await asking_at(authority, port, tmp_path).rest()
        assert await rest.items(PODS) == []


async def test_an_end_that_comes_with_the_last_of_the_handshake_is_one(tmp_path: Path) -> None:
    with speaking_early(b"", close=True) as (authority, port):
        rest = await asking_at(authority, port, tmp_path).rest()
        with pytest.raises(LookupFailedError):
            await rest.items(PODS)
