"""Kubeconfigs of every kind, read as kubectl reads them."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import tempfile
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from kubernetes.config import incluster_config
from world.kubernetes.certificates import Authority
from world.kubernetes.kubeconfig import Kubeconfig, by_exec, by_token, by_token_file

from erlconnect.api import ConfigurationError, LookupTimeoutError
from erlconnect_backends.kubernetes import cluster_access
from erlconnect_backends.kubernetes.api_client import ApiClient
from erlconnect_backends.kubernetes.cluster_access import (
    cluster_access as cluster_access_test_client,
)
from erlconnect_backends.kubernetes.plugin import AccessSettings
from erlconnect_backends.kubernetes.requests import POD, all_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from erlconnect_backends.kubernetes.cluster_access import ClusterAccess

AUTHORITY = Authority().certificate


def written(path: Path, user: Mapping[str, Any], **cluster: Any) -> Path:
    server = cluster.pop("server", "https://10.0.0.1:6443")
    config = Kubeconfig().context(
        "test", server=server, authority=AUTHORITY, user=user, cluster=cluster
    )
    return config.write(path)


async def opened(kubeconfig: Path | None = None, **settings: str) -> ClusterAccess:
    return await cluster_access_test_client(AccessSettings(kubeconfig=kubeconfig, **settings))


async def authorization(access: ClusterAccess) -> str:
    return dict((await access.credentials()).headers).get("Authorization", "")


def contexts(path: Path, *names: str, current: str = "") -> Path:
    config = Kubeconfig(current=current)
    for name in names:
        config.context(
            name,
            server=f"https://{name}.test:6443",
            authority=AUTHORITY,
            user=by_token(f"token-of-{name}"),
            namespace="" if name == "b" else f"space-{name}",
        )
    return config.write(path)


async def test_the_current_context_counts_unless_one_is_named(tmp_path: Path) -> None:
    path = contexts(tmp_path / "config", "a", "b", current="a")
    first, second = await opened(path), await opened(path, context="b")
    assert (first.context, first.server, first.namespace) == ("a", "https://a.test:6443", "space-a")
    assert (second.server, second.namespace) == ("https://b.test:6443", "default")
    place = second.endpoint
    assert (place.host, place.port, place.authority) == ("b.test", 6443, "b.test:6443")
    assert await authorization(second) == "Bearer token-of-b"
    assert (await opened(path, namespace="mine")).namespace == "mine"


async def test_several_files_are_one_and_the_first_current_context_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = contexts(tmp_path / "one", "a", current="a")
    two = contexts(tmp_path / "two", "b", current="b")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "no"), str(one), str(two)]))
    assert (await opened()).context == "a"
    assert (await opened(context="b")).endpoint.host == "b.test"
    assert (await opened(two)).context == "b"


async def test_the_usual_file_is_in_the_home(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no kubeconfig \(~/.kube/config\)"):
        await opened()
    (home / ".kube").mkdir()
    contexts(home / ".kube" / "config", "a")
    assert (await opened()).context == "a"


async def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = contexts(tmp_path / "config", "a", "b", current="a")
    with pytest.raises(ConfigurationError, match="has no context 'c'") as refused:
        await opened(path, context="c")
    assert refused.value.remedy == "There are a, b: choose with -o context=."
    with pytest.raises(ConfigurationError, match="no kubeconfig"):
        await opened(tmp_path / "nothing")
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "current-context": ""}))
    with pytest.raises(ConfigurationError, match="names no current context"):
        await opened(path)


@pytest.mark.parametrize(
    "text",
    ["", "just words", "[]", "a: [secret-one", "contexts: {secret-one: 1}", "\x00secret-one"],
)
async def test_what_is_no_kubeconfig_is_an_error_that_quotes_nothing(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        await opened(path)
    assert "secret-one" not in "".join(traceback.format_exception(refused.value))


async def test_an_entry_that_lacks_something_does_not_show_its_token(tmp_path: Path) -> None:
    path = contexts(tmp_path / "config", "a")
    content = json.loads(path.read_text())
    content["users"][0]["user"] = {"exec": {"args": ["secret-one"]}, "secret-one": "secret-one"}
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError) as refused:
        await opened(path)
    assert "secret-one" not in refused.value.message + refused.value.remedy


async def test_a_tokens_file_is_read_again_when_it_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    access = await opened(written(tmp_path / "config", by_token_file(token)))
    assert await authorization(access) == "Bearer one"
    token.write_text("two\n")
    assert await authorization(access) == "Bearer one"
    later = time.monotonic() + 61
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert await authorization(access) == "Bearer two"


async def test_credentials_that_were_refused_are_read_again_at_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    access = await opened(written(tmp_path / "config", by_token_file(token)))
    first = await access.credentials()
    assert not (await access.renew(first)).differ_from(first)
    token.write_text("two")
    second = await access.renew(await access.credentials())
    assert second.differ_from(first)
    assert await access.renew(first) is second  # somebody else has renewed it meanwhile


PLUGIN = """
import datetime, json, os, pathlib, sys
count = pathlib.Path(sys.argv[1])
number = int(count.read_text() or 0) + 1
count.write_text(str(number))
ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=float(sys.argv[2]))
status = {"token": f"token-{number}-{os.environ['EXTRA']}"}
if float(sys.argv[2]):
    status["expirationTimestamp"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
version = json.loads(os.environ["KUBERNETES_EXEC_INFO"])["apiVersion"]
print(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))
"""


def plugin_user(folder: Path, seconds: float) -> dict[str, Any]:
    program = folder / "plugin.py"
    program.write_text(PLUGIN)
    count = folder / "count"
    count.touch()
    words = (str(program), str(count), str(seconds))
    return by_exec(sys.executable, *words, environment={"EXTRA": "x"})


async def test_a_plugin_is_asked_again_when_its_token_expires(tmp_path: Path) -> None:
    access = await opened(written(tmp_path / "config", plugin_user(tmp_path, 13)))
    assert await authorization(access) == "Bearer token-1-x"
    deadline = time.monotonic() + 10
    while await authorization(access) == "Bearer token-1-x":
        assert time.monotonic() < deadline
    assert await authorization(access) == "Bearer token-2-x"


async def test_a_plugins_token_without_an_end_is_kept_until_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await opened(written(tmp_path / "config", plugin_user(tmp_path, 0)))
    later = time.monotonic() + 86_400
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert await authorization(access) == "Bearer token-1-x"
    await access.renew(await access.credentials())
    assert await authorization(access) == "Bearer token-2-x"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('log in first')", "log in first"),
        ("print('{}')", "malformed response"),
        ("print('no json')", "failed to decode process output"),
    ],
)
async def test_a_plugin_that_fails_is_told_and_nobody_is_asked_without_it(
    tmp_path: Path, program: str, words: str
) -> None:
    user = by_exec(sys.executable, "-c", program)
    with pytest.raises(ConfigurationError, match=words) as refused:
        await opened(written(tmp_path / "config", user))
    assert f"credential plugin {sys.executable} of the context test" in refused.value.message


async def test_a_plugin_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_access, "PLUGIN_SECONDS", 0.2)
    user = by_exec(sys.executable, "-c", "import time; time.sleep(2)")
    with pytest.raises(LookupTimeoutError, match=r"no credentials within 0\.2 s"):
        await opened(written(tmp_path / "config", user))


async def test_a_plugin_that_hangs_is_ended_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    program = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    monkeypatch.setattr(cluster_access, "PLUGIN_SECONDS", 2)
    with pytest.raises(LookupTimeoutError, match="no credentials within 2 s"):
        await opened(written(tmp_path / "config", by_exec(sys.executable, "-c", program)))
    monkeypatch.setattr(cluster_access, "PLUGIN_SECONDS", 25)
    async with asyncio.timeout(10):
        access = await opened(written(tmp_path / "other", by_token("t")))
    assert await authorization(access) == "Bearer t"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_a_plugin_goes_with_whoever_asked_for_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    config = written(tmp_path / "config", by_exec(sys.executable, "-c", program))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await opened(config)
    async with asyncio.timeout(10):
        await opened(written(tmp_path / "other", by_token("t")))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_names_and_passwords_still_work(tmp_path: Path) -> None:
    access = await opened(written(tmp_path / "config", {"username": "me", "password": "secret"}))
    assert await authorization(access) == "Basic bWU6c2VjcmV0"


async def test_whoever_acts_as_another_says_so_to_the_server(tmp_path: Path) -> None:
    user = {**by_token("t"), "as": "robot", "as-uid": "7", "as-groups": ["a", "b"]}
    user["as-user-extra"] = {"reason": ["x"]}
    access = await opened(written(tmp_path / "config", user))
    assert (await access.credentials()).headers == (
        ("Authorization", "Bearer t"),
        ("Impersonate-User", "robot"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
        ("Impersonate-Extra-reason", "x"),
    )


async def test_a_path_and_names_that_are_not_ascii_are_sent_as_kubectl_sends_them(
    tmp_path: Path,
) -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"items":[]}')
        writer.close()

    user = {**by_token("t"), "as": " J\u00f6rg \u20ac ", "as-user-extra": {"k8s.io/team a": ["x"]}}
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/caf\u00e9 1"
        access = await opened(written(tmp_path / "config", user, server=url))
        assert await ApiClient(access).items(all_of(POD, namespace="shop")) == []
    (head,) = heads
    assert head.startswith(b"GET /caf%C3%A9%201/api/v1/namespaces/shop/pods?limit=500 HTTP/1.1\r\n")
    assert "\r\nImpersonate-User: J\u00f6rg \u20ac\r\n".encode() in head
    assert b"\r\nImpersonate-Extra-k8s.io%2Fteam%20a: x\r\n" in head


@pytest.mark.parametrize("name", ["a\r\nAuthorization: Bearer other", "a\x00b", "a\x7f"])
async def test_a_name_that_no_header_can_carry_is_refused(tmp_path: Path, name: str) -> None:
    for user in ({"as": name}, {"as": "b", "as-user-extra": {"reason": [name]}}):
        with pytest.raises(ConfigurationError, match="characters that no header may have"):
            await opened(written(tmp_path / "config", {**by_token("t"), **user}))


async def test_a_client_certificate_is_shown_and_no_key_is_left_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    own = trustme.CA().issue_cert("me")
    certificate = own.cert_chain_pems[0].bytes()
    key = own.private_key_pem.bytes()
    user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    access = await opened(written(tmp_path / "config", user))
    assert (await access.credentials()).certificate == certificate
    assert list(folder.iterdir()) == []


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def test_what_stands_before_the_paths_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "config", by_token("t"), server="https://r.test/k8s/clusters/c-1/")
    access = await opened(path)
    assert (access.endpoint.port, access.endpoint.path_prefix) == (443, "/k8s/clusters/c-1")


async def test_the_name_of_the_certificate_may_be_another(tmp_path: Path) -> None:
    options = {"tls-server-name": "kubernetes.test", "proxy-url": "socks5://127.0.0.1:9"}
    access = await opened(written(tmp_path / "config", by_token("t"), **options))
    assert (await access.credentials()).tls_server_name == "kubernetes.test"
    assert access.endpoint.proxy == "socks5://127.0.0.1:9"


async def test_certificates_are_always_checked(tmp_path: Path) -> None:
    path = written(tmp_path / "config", by_token("t"), **{"insecure-skip-tls-verify": True})
    with pytest.raises(ConfigurationError, match="has insecure-skip-tls-verify"):
        await opened(path)


async def test_plain_http_is_for_this_machine_alone(tmp_path: Path) -> None:
    near = written(tmp_path / "near", by_token("t"), server="http://127.0.0.1:8001")
    assert (await (await opened(near)).credentials()).tls is None
    far = written(tmp_path / "far", by_token("t"), server="http://10.0.0.1:8080")
    with pytest.raises(ConfigurationError, match="without TLS"):
        await opened(far)


@pytest.mark.parametrize("server", ["", "10.0.0.1:6443", "ftp://10.0.0.1", "https://"])
async def test_a_server_that_is_no_address_is_refused(tmp_path: Path, server: str) -> None:
    with pytest.raises(ConfigurationError):
        await opened(written(tmp_path / "config", by_token("t"), server=server))


@pytest.mark.parametrize(
    "user",
    [
        {"token": "with\nnewline"},
        {"token": "umläut"},
        {"client-certificate-data": "bm8=", "client-key-data": "bm8="},
        {"client-certificate": "missing.pem", "client-key": "missing.pem"},
        {"tokenFile": "missing"},
    ],
)
async def test_credentials_that_cannot_be_used_are_refused(
    tmp_path: Path, user: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"context test|users\[0\] \(test\)\.user\."):
        await opened(written(tmp_path / "config", user))


async def test_authorities_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "config", by_token("t"), **{"certificate-authority-data": "bm8="})
    with pytest.raises(ConfigurationError, match="CA certificates of the context test"):
        await opened(path)


async def test_a_pod_uses_its_own_service_account(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in {"token": b"robot\n", "ca.crt": AUTHORITY, "namespace": b"shop"}.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    access = await opened()
    assert (access.context, access.namespace) == ("in-cluster", "shop")
    assert (access.server, access.endpoint.host) == ("https://[fd00::1]:443", "fd00::1")
    assert await authorization(access) == "Bearer robot"
    with pytest.raises(ConfigurationError, match="no kubeconfig"):
        await opened(context="a")
