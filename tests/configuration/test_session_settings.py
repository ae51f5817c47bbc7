from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.configuration.session_settings import (
    SESSION_KEYS,
    Options,
    SessionSettings,
    parse_options,
    resolve_session_settings,
)
from erlconnect.errors import ConfigurationError, UnknownSettingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def resolve(options: Mapping[str, str] | None = None, **environment: str) -> SessionSettings:
    return resolve_session_settings(options=options or {}, environment=environment)


def test_the_keys_are_those_of_the_design() -> None:
    assert SESSION_KEYS[:4] == ("epmd-port", "dist-port", "node", "max-frame")
    assert SESSION_KEYS[4:] == ("look-again", "local-tls-cert", "local-tls-key")


def test_without_anything_the_backend_decides_and_frames_end_at_256_megabytes() -> None:
    assert resolve() == SessionSettings(
        epmd_port=None, dist_port=None, node=None, max_frame=256 * 1024 * 1024
    )


def test_the_command_line_wins_over_the_environment() -> None:
    variables = {"ERLCONNECT_SESSION_EPMD_PORT": "1", "ERLCONNECT_SESSION_NODE": "{basename}@{ip}"}
    settings = resolve({"epmd-port": "65535", "max-frame": "1048576"}, **variables)
    assert settings == SessionSettings(
        epmd_port=65535, node="{basename}@{ip}", max_frame=1024 * 1024
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("epmd-port", "0"),
        ("dist-port", "65536"),
        ("dist-port", "-1"),
        ("epmd-port", "٤٣٦٩"),
        ("epmd-port", "4369 "),
        ("max-frame", "256MB"),
        ("max-frame", "1"),
        ("max-frame", "4294967296"),
        ("node", ""),
    ],
)
def test_a_bad_value_names_its_key(key: str, text: str) -> None:
    with pytest.raises(UnknownSettingError) as caught:
        resolve({key: text})
    assert caught.value.message.startswith(f"-o {key}={text} cannot be used: it ")


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(ERLCONNECT_SESSION_DIST_PORT="x")
    assert caught.value.message == (
        "The variable ERLCONNECT_SESSION_DIST_PORT=x cannot be used: "
        "it must be a number from 1 to 65535"
    )


def test_an_unknown_variable_gets_a_suggestion() -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(ERLCONNECT_SESSION_DISTPORT="1")
    assert "ERLCONNECT_SESSION_DISTPORT" in caught.value.message
    assert caught.value.remedy.startswith("Did you mean 'ERLCONNECT_SESSION_DIST_PORT'? ")


def test_an_empty_variable_counts_as_unset() -> None:
    assert resolve(ERLCONNECT_SESSION_DIST_PORT="").dist_port is None


def parse(*items: str) -> Options:
    return parse_options(items, environment={})


def test_options_are_sorted_by_whom_they_are_for() -> None:
    options = parse(
        "server=10.0.0.1:53", "cookie.path=/c", "transport.family=6", "epmd-port=4370", "tag=a=b"
    )
    assert options.backend == {"server": "10.0.0.1:53", "tag": "a=b"}
    assert options.cookie == {"path": "/c"}
    assert options.transport == {"family": "6"}
    assert options.session.epmd_port == 4370


def test_of_a_key_that_is_given_twice_the_last_holds() -> None:
    assert parse("tag=a", "tag=b").backend == {"tag": "b"}


def test_a_prefixed_key_is_never_the_sessions() -> None:
    options = parse("transport.node=x")
    assert (options.transport, options.session.node) == ({"node": "x"}, None)


@pytest.mark.parametrize("item", ["tcp", "=x", "cookie.=x", ""])
def test_what_is_no_key_and_value_is_refused(item: str) -> None:
    with pytest.raises(UsageError, match="this is not KEY=VALUE"):
        parse(item)


@pytest.mark.parametrize("item", ["transprt.family=6", "a.b.c=1", ".x=1"])
def test_an_unknown_prefix_is_refused(item: str) -> None:
    with pytest.raises(UnknownSettingError) as caught:
        parse(item)
    assert "transport.KEY=" in caught.value.remedy


def test_an_unknown_prefix_gets_a_suggestion() -> None:
    with pytest.raises(UnknownSettingError) as caught:
        parse("transprt.family=6")
    assert caught.value.remedy.startswith("Did you mean 'transport'? ")
