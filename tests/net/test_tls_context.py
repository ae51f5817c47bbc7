"""Who is trusted: real handshakes with certificates of every kind, as Go's programs decide."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
import trustme

from erlconnect.net.tls_context import (
    certificate_remedy,
    client_context,
    load_own_certificate,
    tls_words,
)

if TYPE_CHECKING:
    from pathlib import Path


def spoken(client: ssl.SSLContext, own: trustme.LeafCert, name: str = "node.test") -> None:
    """Shake hands over a socketpair with a server that shows ``own``; raises the client's error."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.configure_cert(server)
    here, there = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(there, server_side=True).close()
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=name) as wrapped:
            assert wrapped.version() in ("TLSv1.2", "TLSv1.3")
    finally:
        here.close()
        thread.join(10)


def trusting(*certificates: bytes) -> ssl.SSLContext:
    return client_context(authorities=b"\n".join(certificates).decode())


def test_the_root_an_intermediate_and_the_servers_own_certificate_are_trusted() -> None:
    root = trustme.CA()
    middle = root.create_child_ca()
    own = middle.issue_cert("node.test")
    for trusted in (root.cert_pem, middle.cert_pem, own.cert_chain_pems[0]):
        spoken(trusting(trusted.bytes()), own)


def test_a_stranger_another_name_and_no_authority_at_all_are_refused() -> None:
    own = trustme.CA().issue_cert("node.test")
    stranger = trustme.CA().cert_pem.bytes()
    for client in (trusting(stranger), client_context()):
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            spoken(client, own)
        assert certificate_remedy(refused.value, "Name its CA.") == "Name its CA."
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)hostname mismatch"):
        spoken(trusting(own.cert_chain_pems[0].bytes()), own, "another.test")


@pytest.mark.parametrize(
    ("first", "last", "words", "remedy"),
    [
        (-9, -1, "certificate has expired", "has to be renewed"),
        (1, 9, "certificate is not yet valid", "check the clocks"),
    ],
)
def test_a_certificate_out_of_its_days_is_told_as_such(
    first: int, last: int, words: str, remedy: str
) -> None:
    now = dt.datetime.now(dt.UTC)
    authority = trustme.CA()
    own = authority.issue_cert(
        "node.test",
        not_before=now + dt.timedelta(days=first),
        not_after=now + dt.timedelta(days=last),
    )
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        spoken(trusting(authority.cert_pem.bytes()), own)
    assert tls_words(refused.value) == words
    assert remedy in certificate_remedy(refused.value, "Name its CA.")


def test_files_that_are_no_certificates_are_told_in_words(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no certificate")
    with pytest.raises(ssl.SSLError) as refused:
        client_context(authority_file=nothing)
    assert tls_words(refused.value) == "no certificate or crl found"
    with pytest.raises(OSError, match=r".") as missing:
        client_context(authority_file=tmp_path / "missing.pem")
    assert tls_words(missing.value).lower() == "no such file or directory"
    with pytest.raises(ssl.SSLError) as unusable:
        load_own_certificate(client_context(), nothing, None)
    assert tls_words(unusable.value) == "not in PEM form"


def test_nobody_is_asked_for_the_passphrase_of_a_key(tmp_path: Path) -> None:
    key, certificate = tmp_path / "own.key", tmp_path / "own.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-passout", "pass:abcdef"]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=me"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    with pytest.raises(ValueError, match="the key is encrypted"):
        load_own_certificate(client_context(), certificate, key)
