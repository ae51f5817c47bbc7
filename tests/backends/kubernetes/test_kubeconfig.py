"""Kubeconfigs that people have, read as kubectl reads them, and words that name file and key."""

from __future__ import annotations

import json
import os
import ssl
import sys
from typing import TYPE_CHECKING, Any

import pytest
from backends.kubernetes.test_cluster_access import authorization, contexts, opened, written
from world.kubernetes.kubeconfig import Kubeconfig, by_exec, by_token

from erlconnect.api import ConfigurationError
from erlconnect_backends.kubernetes.connection import open_connection

if TYPE_CHECKING:
    from pathlib import Path

    from world.kubernetes.api import KubernetesApi


async def test_a_key_that_is_null_or_empty_counts_as_absent(tmp_path: Path) -> None:
    cluster = dict.fromkeys(
        ("proxy-url", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority")
    )
    keys = ("tokenFile", "client-certificate", "client-key", "client-key-data", "username", "as")
    tables = dict.fromkeys(("auth-provider", "exec", "as-groups", "as-user-extra", *keys))
    for user in ({**tables, "token": "t"}, {**dict.fromkeys(keys, ""), "token": "t"}):
        access = await opened(written(tmp_path / "config", user, **cluster))
        assert await authorization(access) == "Bearer t"
        assert access.endpoint.proxy == ""


@pytest.mark.parametrize("empty", ["", "# nothing\n", "---\n", "null\n", "{}", "users: null\n"])
async def test_an_empty_file_of_the_list_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: str
) -> None:
    (tmp_path / "empty").write_text(empty)
    contexts(tmp_path / "full", "a")
    files = [str(tmp_path / "empty"), str(tmp_path / "full")]
    for order in (files, files[::-1]):
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(order))
        assert (await opened()).context == "a"


async def test_the_file_of_the_list_that_is_wrong_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts(tmp_path / "full", "a")
    (tmp_path / "wrong").write_text("contexts: [secret-one")
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join([f"{tmp_path}/full", f"{tmp_path}/wrong"]))
    with pytest.raises(ConfigurationError) as refused:
        await opened()
    assert f"kubeconfig {tmp_path}/wrong could not be read" in refused.value.message
    assert "secret-one" not in refused.value.message
    (tmp_path / "wrong").write_bytes("# fran\u00e7ais".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="wrong could not be read: it is not in UTF-8"):
        await opened()


async def test_a_tokens_file_counts_more_than_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-file\n")
    user = {"token": "of-the-entry", "tokenFile": "token"}
    assert await authorization(await opened(written(tmp_path / "c", user))) == "Bearer of-the-file"
    missing = {**user, "tokenFile": "missing"}
    access = await opened(written(tmp_path / "c", missing))
    assert await authorization(access) == "Bearer of-the-entry"


async def test_a_token_counts_more_than_a_plugin_which_is_not_run(tmp_path: Path) -> None:
    user = {**by_exec("/no/such/program"), **by_token("t")}
    assert await authorization(await opened(written(tmp_path / "c", user))) == "Bearer t"


async def test_a_plugin_that_is_not_installed_is_told_with_its_hint(tmp_path: Path) -> None:
    user = by_exec("no-such-plugin")
    with pytest.raises(ConfigurationError) as refused:
        await opened(written(tmp_path / "config", user))
    assert refused.value.message == (
        "The credential plugin no-such-plugin of the context test is not installed"
    )
    user["exec"]["installHint"] = "Get it by\n  brew install no-such-plugin\n"
    with pytest.raises(ConfigurationError) as refused:
        await opened(written(tmp_path / "config", user))
    assert refused.value.remedy == "Get it by brew install no-such-plugin"


async def test_a_plugin_beside_the_kubeconfig_is_found_from_everywhere(tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "t"}}
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!{sys.executable}\nprint('''{json.dumps(answer)}''')\n")
    plugin.chmod(0o700)
    path = written(tmp_path / "config", by_exec("./plugin"))
    assert await authorization(await opened(path)) == "Bearer t"


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("cluster", {"certificate-authority-data": "abc"}, "certificate-authority-data is not b"),
        ("user", {"client-certificate-data": "a"}, "client-certificate-data is not base64"),
        ("user", {"token": 123}, r"users\[0\] \(one\)\.user\.token is a number: write it in quot"),
        ("user", {"exec": "x"}, r"user\.exec is no mapping"),
        ("user", {"token": "t", "username": "u"}, "has a token and a username"),
        ("user", {"as-groups": ["g"]}, "has as-groups without `as`"),
        ("user", {"exec": {}, "auth-provider": {"name": "oidc"}}, "has auth-provider and exec"),
        ("context", {"user": "two"}, r"contexts\[0\] \(one\).* names the user 'two'"),
        ("context", {"cluster": "two"}, r"names the cluster 'two'.*there are 'one'"),
        ("cluster", {"server": "https://\u0444" + "a" * 70 + ".test"}, "has no usable address"),
        ("cluster", {"server": "https://a.test:port"}, "has no usable address"),
    ],
)
async def test_the_key_that_is_wrong_is_named(
    tmp_path: Path, kind: str, values: dict[str, Any], words: str
) -> None:
    entries: dict[str, dict[str, Any]] = {
        "cluster": {"server": "https://127.0.0.1:1"},
        "user": {},
        "context": {"cluster": "one", "user": "one"},
    }
    entries[kind] |= values
    content: dict[str, Any] = {"current-context": "one"}
    for name, entry in entries.items():
        content[f"{name}s"] = [{"name": "one", name: entry}]
    (tmp_path / "config").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=words) as refused:
        await opened(tmp_path / "config")
    assert "codec" not in refused.value.message
    assert "padding" not in refused.value.message


async def test_a_name_that_is_a_number_is_told_as_such(tmp_path: Path) -> None:
    text = "contexts: [{name: 123, context: {cluster: a}}]\ncurrent-context: 123\n"
    (tmp_path / "config").write_text(text)
    with pytest.raises(ConfigurationError, match=r"current-context is a number: write it in quo"):
        await opened(tmp_path / "config")
    (tmp_path / "config").write_text(text.replace("current-context: 123", ""))
    with pytest.raises(ConfigurationError, match=r"contexts\[0\]\.name is a number"):
        await opened(tmp_path / "config")


async def test_a_server_whose_name_is_not_ascii_is_asked_by_its_name_for_dns(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "config", by_token("t"), server="https://m\u00fcnchen.test:6443")
    access = await opened(path)
    assert (access.endpoint.host, access.endpoint.port) == ("xn--mnchen-3ya.test", 6443)
    assert access.endpoint.authority.isascii()


async def test_the_servers_own_certificate_is_trusted_where_it_stands_for_the_authority(
    tmp_path: Path, api: KubernetesApi
) -> None:
    shown = ssl.get_server_certificate(("127.0.0.1", api.port)).encode()
    user = by_token(api.token)
    config = Kubeconfig().context("test", server=api.url, authority=shown, user=user)
    access = await opened(config.write(tmp_path / "config"))
    connection = await open_connection(access.endpoint, await access.credentials())
    connection.wire.close()
