"""Nodes that lack the atom cache, fragments or both: what older nodes and C nodes send.

The nodes are real; a relay takes the flags out of their handshake.
"""

from __future__ import annotations

from functools import partial

import pytest
from end_to_end.flag_clearing import ATOM_CACHE, FRAGMENTS, FlagClearing
from end_to_end.mirrored import assert_calls_work, mirrored
from world.connected import REMOTE_NAME

MEGABYTE = 1024 * 1024
# What OTP puts into a fragment, and room for its head and header.
LONGEST_CUT = 68_000
OPTIONS = {
    "app@b": ("--as", "an-application-with-a-long-alias", "--caller-name", "d@x"),
    REMOTE_NAME: (),
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(
    ("flags", "messages_are_cut"),
    [
        pytest.param(ATOM_CACHE, True, id="no atom cache"),
        pytest.param(FRAGMENTS, False, id="no fragments"),
        pytest.param(ATOM_CACHE | FRAGMENTS, False, id="neither"),
    ],
)
def test_calls_work_without_them(flags: int, messages_are_cut: bool, name: str) -> None:
    """Without the cache every name stands inline, in both directions."""
    with mirrored(*OPTIONS[name], remote_name=name, relay=partial(FlagClearing, flags)) as world:
        assert_calls_work(world)
        for term in ("material:large(Names, 300)", "material:functions(Names)", "Names"):
            assert world.call(f"Names = [Alias, node()], mirror:same(Alias, {term}).") == "same"
        paddings = "lists:seq(65100, 65600, 3)"
        terms = f"[material:inline({{Alias, self()}}, Padding) || Padding <- {paddings}]"
        assert world.call(f"lists:usort([mirror:same(Alias, T) || T <- {terms}]).") == "[same]"
        assert world.call("mirror:same(Alias, binary:copy(<<1>>, 20000000)).") == "same"
        world.session.terminate()
        down = world.session.wait_event("link-down")
        assert (down["bytes_out"] / down["frames_out"] < LONGEST_CUT) == messages_are_cut


def test_a_message_of_200_megabytes_is_held_whole() -> None:
    with mirrored(relay=partial(FlagClearing, FRAGMENTS)) as world:
        made = "Made = [Alias, binary:copy(<<$@, 0, 119, 13>>, 50 * 1024 * 1024), Alias, node()]"
        assert world.call(f"{made}, mirror:same(Alias, Made).", 110) == "same"
        assert_calls_work(world)


def test_a_frame_beyond_the_limit_ends_the_link_with_that_reason() -> None:
    limit = 8 * MEGABYTE
    relay = partial(FlagClearing, FRAGMENTS)
    with mirrored("-o", f"max-frame={limit}", relay=relay) as world:
        largest = "binary:copy(<<1>>, {} * 1024 * 1024)"
        assert world.call(f"mirror:same(Alias, {largest.format('7')}).") == "same"
        beyond = f"monitor_node(Alias, true), {{mirror, Alias}} ! {largest.format('9')}"
        down = "receive {nodedown, Alias} -> down after 10000 -> up end."
        assert world.call(f"{beyond}, {down}") == "down"
        reason = world.session.wait_event("link-down")["reason"]
        assert reason.startswith("protocol error of the local node: frame: 9")
        assert reason.endswith(f"more than max-frame allows ({limit})")
        assert_calls_work(world)
