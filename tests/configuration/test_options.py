from __future__ import annotations

import pytest

from erlconnect.configuration.options import Options, parse_options
from erlconnect.errors import UnknownSettingError, UsageError


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
