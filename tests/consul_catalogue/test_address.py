"""What a text means as the address of an agent."""

from __future__ import annotations

import pytest

from erlconnect_backends.consul_catalogue.address import agent_address


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
