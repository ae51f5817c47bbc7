"""Which agent is asked, as whom, and what a text means as its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from backends.consul.catalogues import backend

from erlconnect.api import ConfigurationError, UsageError, redact
from erlconnect_backends.consul.access import AccessSettings, access_of, agent_address

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "6b7e9a52-0d3c-4c5e-9f6a-1f2e3d4c5b6a"


def test_nothing_set_is_the_agent_of_this_machine() -> None:
    access = access_of(AccessSettings(), {})
    assert str(access.address) == "http://127.0.0.1:8500"
    assert (access.token, access.datacenter, access.namespace) == ("", "", "")
    assert access.tls is None


def test_the_variables_of_the_consul_program_are_used() -> None:
    variables = {
        "CONSUL_HTTP_ADDR": "agent.example:8501",
        "CONSUL_HTTP_SSL": "true",
        "CONSUL_HTTP_TOKEN": TOKEN,
        "CONSUL_NAMESPACE": "team",
        "CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
    }
    access = access_of(AccessSettings(), variables)
    assert str(access.address) == "https://agent.example:8501"
    assert (access.token, access.namespace) == (TOKEN, "team")
    assert access.tls_server_name == "server.dc1.consul"
    assert access.tls is not None


def test_settings_come_first(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f" {TOKEN}\n")
    settings = AccessSettings(
        address="http://10.0.0.1:1", token_file=tmp_path / "token", namespace="mine"
    )
    variables = {"CONSUL_HTTP_ADDR": "a", "CONSUL_HTTP_TOKEN": "b", "CONSUL_NAMESPACE": "c"}
    access = access_of(settings, variables)
    assert str(access.address) == "http://10.0.0.1:1"
    assert (access.token, access.namespace) == (TOKEN, "mine")


def test_a_tokens_file_comes_before_its_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    variables = {"CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "token"), "CONSUL_HTTP_TOKEN": "other"}
    assert access_of(AccessSettings(), variables).token == TOKEN


def test_a_file_that_a_variable_names_may_be_empty_where_there_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    variables = {"CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "token"), "CONSUL_HTTP_TOKEN": TOKEN}
    assert access_of(AccessSettings(), variables).token == TOKEN
    del variables["CONSUL_HTTP_TOKEN"]
    with pytest.raises(ConfigurationError, match="is empty"):
        access_of(AccessSettings(), variables)


def test_a_password_is_not_shown() -> None:
    access = access_of(AccessSettings(), {"CONSUL_HTTP_AUTH": "me:long-password"})
    assert access.authorization == "Basic bWU6bG9uZy1wYXNzd29yZA=="
    assert access.authorization not in repr(access)
    assert redact(access.authorization) == "Basic [redacted]"
    assert redact("long-password") == "[redacted]"


def test_a_token_is_not_shown() -> None:
    access = access_of(AccessSettings(), {"CONSUL_HTTP_TOKEN": TOKEN})
    assert TOKEN not in repr(access)
    assert redact(f"X-Consul-Token: {TOKEN}") == "X-Consul-Token: [redacted]"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CONSUL_HTTP_ADDR": "ftp://x"}, "CONSUL_HTTP_ADDR=ftp://x cannot be used: it has to be"),
        (
            {"CONSUL_HTTP_ADDR": "http://me:pass@word@x"},
            "CONSUL_HTTP_ADDR=http://[hidden]@x cannot be used",
        ),
        ({"CONSUL_HTTP_TOKEN_FILE": "/nowhere/token"}, "token file /nowhere/token could not be re"),
        ({"CONSUL_HTTP_TOKEN": "to ken\r\nX-Evil: 1"}, "characters that no token has"),
        ({"CONSUL_HTTP_ADDR": "https://a", "CONSUL_CACERT": "/nowhere/ca"}, "in /nowhere/ca could"),
        ({"CONSUL_HTTP_ADDR": "https://a", "CONSUL_CLIENT_CERT": "/nowhere"}, "certificate /nowhe"),
    ],
)
def test_what_cannot_be_used_is_a_matter_of_configuration(
    variables: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        access_of(AccessSettings(), variables)
    assert words in caught.value.message


def test_files_with_something_else_in_them_are_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("\n")
    with pytest.raises(ConfigurationError, match=r"The token file .*/file is empty"):
        access_of(AccessSettings(token_file=file), {})
    with pytest.raises(ConfigurationError, match=r"The CA certificates in .*/file could not"):
        access_of(AccessSettings(address="https://a", ca_file=file), {})
    with pytest.raises(ConfigurationError, match=r"The client certificate .*/file could not"):
        access_of(AccessSettings(address="https://a", client_cert=file), {})


def test_only_what_was_set_is_passed_on(tmp_path: Path) -> None:
    settings = AccessSettings(address="a:1", token_file=tmp_path / "token", datacenter="eu1")
    assert settings.access_settings() == {
        "address": "a:1",
        "token-file": tmp_path / "token",
        "datacenter": "eu1",
    }


def test_an_address_of_the_command_line_is_checked_there() -> None:
    with pytest.raises(UsageError, match=r"-o address=ftp://x cannot be used"):
        backend(address="ftp://x")


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("127.0.0.1:8500", "http://127.0.0.1:8500"),
        ("consul.example", "http://consul.example:80"),
        ("http://consul.example", "http://consul.example:80"),
        ("https://consul.example/", "https://consul.example:443"),
        ("https://consul.example:8501", "https://consul.example:8501"),
        ("tcp://10.0.0.1:8500", "http://10.0.0.1:8500"),
        ("[::1]:8500", "http://[::1]:8500"),
        (":8500", "http://localhost:8500"),
        ("m\u00fcnchen.example:8500", "http://xn--mnchen-3ya.example:8500"),
        ("https://[fd00::1]", "https://[fd00::1]:443"),
        ("unix:///run/consul.sock", "unix:///run/consul.sock"),
    ],
)
def test_it_means_what_the_consul_program_takes_it_for(text: str, meaning: str) -> None:
    assert str(agent_address(text)) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix://",
        "ftp://a:1",
        "http://",
        "a:0",
        "a:65536",
        "a:b",
        "http://user@a",
        "http://a:1/consul",
        "::1",
        "a b:1",
        "a..b:8500",
        "caf\udce9.example:8500",
        "a" * 64,
    ],
)
def test_anything_else_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"has to be|no port"):
        agent_address(text)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a:8501", "https://a:8501"),
        ("http://a:8501", "https://a:8501"),
        ("tcp://a:8501", "https://a:8501"),
        ("a", "https://a:443"),
        ("http://a", "https://a:443"),
    ],
)
def test_no_scheme_undoes_a_demand_for_tls(text: str, meaning: str) -> None:
    assert str(agent_address(text, tls=True)) == meaning


def test_a_unix_socket_has_tls_only_where_it_is_asked_for() -> None:
    assert agent_address("unix:///a", tls=True).tls
    assert not agent_address("unix:///a").tls
