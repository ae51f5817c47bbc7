"""The world that the other tests stand on does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world.erlang import ErlangNode, erl_call

if TYPE_CHECKING:
    from pathlib import Path

    from world.epmd import RealEpmd

COOKIE = "WORLDCOOKIE"


def test_a_node_evaluates_and_is_registered(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE) as node:
        assert node.evaluate("{node(), 1 + 1}.") == "{'w@127.0.0.1',2}"
        assert node.evaluate('[16#e9, <<"\\x{e9}"/utf8>>].') == '[233,<<"é"/utf8>>]'
        assert epmd.names() == {"w": node.dist_port}


def test_an_exception_of_a_node_fails_the_test(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE) as node:
        with pytest.raises(AssertionError, match="badarith"):
            node.evaluate("1 / 0.")
        assert node.evaluate("still_here.") == "still_here"


def test_erl_call_reaches_a_node(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE):
        answer = erl_call("w@127.0.0.1", "node().", cookie=COOKIE, epmd_port=epmd.port)
        assert answer.stdout == "{ok, 'w@127.0.0.1'}"


def test_home_holds_a_private_cookie(home: Path) -> None:
    cookie = home / ".erlang.cookie"
    assert cookie.stat().st_mode & 0o777 == 0o400
    assert len(cookie.read_text()) == 20
