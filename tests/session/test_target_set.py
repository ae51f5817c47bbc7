"""Which alias is meant by a target that is listed anew."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from erlconnect.api import NodeName, Target
from erlconnect.session.discovery import target_key
from erlconnect.session.target_set import TargetSet

if TYPE_CHECKING:
    from erlconnect.session.alias import Alias
    from erlconnect.session.config import TargetContext
    from erlconnect.session.connector import ConnectedTarget


def target(address: str) -> Target:
    return Target(node=NodeName.parse("app@shop"), address=address, dist_port=4370)


class Connected:
    """A connected target whose node is called the same wherever it is; it may be closed."""

    def __init__(self, address: str, listed: str = "") -> None:
        self.discovered = target(listed or address)
        self.target = target(address)
        self.where = f"app@shop at {address}:4370"
        self.closed = False

    def close(self) -> None:
        self.closed = True


def alias(address: str, *, missed: int = 0) -> tuple[Alias, list[Connected]]:
    """An alias for the target at ``address``, and what its target was replaced with."""
    replacements: list[Connected] = []
    made: Any = SimpleNamespace(
        connected=Connected(address),
        node="app@shop",
        keys={target_key(target(address))},
        missed=missed,
        tracker=SimpleNamespace(replace=replacements.append),
    )
    return cast("Alias", made), replacements


def has_alias(connected: Connected, *aliases: Alias) -> bool:
    settings = SimpleNamespace(look_again=15)
    context = SimpleNamespace(config=SimpleNamespace(settings=settings))
    made = TargetSet(cast("TargetContext", context))
    made._aliases.extend(aliases)
    return made._has_alias(cast("ConnectedTarget", connected))


def test_an_alias_with_that_address_goes_before_a_missing_one_of_that_name() -> None:
    missing, replacements = alias("10.0.0.1", missed=1)
    listed, _ = alias("10.0.0.2")
    connected = Connected("10.0.0.2", listed="shop.test")
    assert has_alias(connected, missing, listed)
    assert (replacements, missing.missed) == ([], 1)
    assert target_key(target("shop.test")) in listed.keys
    assert connected.closed


def test_a_missing_one_of_that_name_is_moved_where_nobody_has_the_address() -> None:
    missing, replacements = alias("10.0.0.1", missed=1)
    listed, _ = alias("10.0.0.2")
    connected = Connected("10.0.0.3")
    assert has_alias(connected, missing, listed)
    assert (replacements, missing.missed) == ([connected], 0)
    assert not connected.closed
