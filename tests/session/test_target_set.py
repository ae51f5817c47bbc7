"""Which alias is meant by a target that is listed anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from erlconnect.api import NodeName, Target
from erlconnect.session.target_set import TargetSet, _RunningTarget, target_key

if TYPE_CHECKING:
    from erlconnect.session.config import DiscoveredTarget, TargetContext


def target(address: str) -> Target:
    return Target(node=NodeName.parse("app@shop"), address=address, dist_port=4370)


class Way:
    """An open way to a node that is called the same wherever it is; it may be closed."""

    def __init__(self, address: str) -> None:
        self.target = target(address)
        self.where = f"app@shop at {address}:4370"
        self.closed = False

    def close(self) -> None:
        self.closed = True


def instance(address: str, *, missed: int = 0) -> tuple[_RunningTarget, list[Way]]:
    """An alias for it, and the ways that it was moved to."""
    moves: list[Way] = []
    aliased: Any = SimpleNamespace(
        approached=Way(address),
        node="app@shop",
        followed=SimpleNamespace(move_to=moves.append),
    )
    return _RunningTarget(
        places={target_key(target(address))}, target=aliased, missed=missed
    ), moves


def instances(*standing: _RunningTarget) -> TargetSet:
    session = SimpleNamespace(look_again=15)
    choices = SimpleNamespace(options=SimpleNamespace(session=session))
    made = TargetSet(cast("TargetContext", SimpleNamespace(choices=choices)))
    made._standing.extend(standing)
    return made


def found(way: Way, listed: str) -> DiscoveredTarget:
    return cast("DiscoveredTarget", SimpleNamespace(source=target(listed), approached=way))


def test_an_alias_with_that_address_goes_before_a_missing_one_of_that_name() -> None:
    missing, moves = instance("10.0.0.1", missed=1)
    standing, _ = instance("10.0.0.2")
    way = Way("10.0.0.2")
    assert instances(missing, standing)._known(found(way, "shop.test"))
    assert (moves, missing.missed) == ([], 1)
    assert target_key(target("shop.test")) in standing.places
    assert way.closed


def test_a_missing_one_of_that_name_is_moved_where_nobody_has_the_address() -> None:
    missing, moves = instance("10.0.0.1", missed=1)
    standing, _ = instance("10.0.0.2")
    way = Way("10.0.0.3")
    assert instances(missing, standing)._known(found(way, "10.0.0.3"))
    assert (moves, missing.missed) == ([way], 0)
    assert not way.closed
