"""What the session's own settings make of the targets that a backend found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.api import NodeName, Ref, Target, UsageError
from erlconnect.configuration.options import parse_options
from erlconnect.plugin_catalogue import Catalogue
from erlconnect.session.choices import Choices
from erlconnect.session.discovery import Discovery
from erlconnect.session.offers import Offers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import Query, SessionApi


def target(address: str, *refs: Ref, **facts: str) -> Target:
    node = NodeName(name="", host=address)
    return Target(node=node, address=address, cookies=refs, transports=refs, facts=facts)


class _Found:
    """A backend whose targets are known."""

    def __init__(self, *targets: Target) -> None:
        self._targets = targets

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        del query, session  # they are known
        return self._targets


def choices(*options: str, **more: str) -> Choices:
    return Choices(
        service="app@10.0.0.1",
        backend="fixed",
        options=parse_options(options, environment={}),
        **more,  # type: ignore[arg-type]
    )


async def applied(node: str, *found: Target) -> tuple[list[str], list[str]]:
    """The names of the targets with ``-o node=``, and the warnings."""
    warnings: list[str] = []
    chosen = choices(f"node={node}")
    offers = Offers(Catalogue(), chosen, {})
    discovery = Discovery(chosen, offers, None, warnings.append)  # type: ignore[arg-type]
    discovery._backend = _Found(*found)
    return [str(one.node) for one in await discovery.targets()], warnings


@pytest.mark.parametrize("field", ["meta.erl", "tag", "label"])
async def test_a_target_that_the_template_does_not_fit_is_left_out(field: str) -> None:
    whole, bare = target("10.0.0.1", **{field: "shop"}), target("10.0.0.2", id="shop-2")
    names, warnings = await applied(f"{{{field}}}@{{ip}}", whole, bare)
    assert names == ["shop@10.0.0.1"]
    (warning,) = warnings
    assert warning.startswith("left out: shop-2 (10.0.0.2): ")
    assert f"this target has no field {{{field}}}" in warning


async def test_a_value_that_is_no_name_takes_only_its_own_target_out() -> None:
    found = target("10.0.0.1", tag="shop"), target("10.0.0.2", tag="v2.1 beta")
    names, warnings = await applied("{tag}@{ip}", *found)
    assert names == ["shop@10.0.0.1"]
    assert len(warnings) == 1


async def test_a_template_that_fits_none_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no field \{tag\}"):
        await applied("{tag}@{ip}", target("10.0.0.1"), target("10.0.0.2"))


def test_an_offer_that_is_named_inherits_what_the_target_says_of_it() -> None:
    ref = Ref(name="consul-kv", settings={"address": "10.0.0.9:1"}, only_if_named=True)
    found = target("10.0.0.1", ref)
    named = Offers(Catalogue(), choices(cookie_from="consul-kv:erlang/cookie"), {})
    (choice,) = named.cookie_sources(found)
    settings = choice.source._settings  # type: ignore[attr-defined]
    assert choice.name == "consul-kv"
    assert (settings.address, settings.key) == ("10.0.0.9:1", "erlang/cookie")


def test_such_an_offer_is_not_used_by_itself() -> None:
    found = target("10.0.0.1", Ref(name="consul-kv", only_if_named=True))
    offers = Offers(Catalogue(), choices(), {})
    assert [choice.name for choice in offers.cookie_sources(found)] == ["file"]
    assert [name for name, _ in offers.transports(found)] == ["direct"]
