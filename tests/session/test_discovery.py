"""What the session makes of the targets that a backend lists: its settings, ``--node``, names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.api import NodeName, Query, Target, UsageError
from erlconnect.configuration.session_settings import SessionSettings
from erlconnect.errors import NoNodeFoundError, SeveralNodesError
from erlconnect.plugin_manager import Catalogue
from erlconnect.session.config import SessionConfig
from erlconnect.session.discovery import Discovery, choose_name, choose_targets, render_node
from erlconnect.session.plugin_resolver import PluginResolver, PluginSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import SessionApi


WHERE = "10.3.2.1:4369"
QUERY = Query(service="_x._tcp.shop.internal")


def target(address: str, **facts: str) -> Target:
    node = NodeName(name="", host=address)
    return Target(node=node, address=address, facts=facts)


class _Found:
    """A backend whose targets are known."""

    def __init__(self, *targets: Target) -> None:
        self._targets = targets

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        del query, session  # they are known
        return self._targets


async def applied(node: str, *found: Target) -> tuple[list[str], list[str]]:
    """The names of the targets with ``-o node=``, and the warnings."""
    warnings: list[str] = []
    config = SessionConfig(
        service="app@10.0.0.1",
        backend=PluginSpec(name="fixed"),
        settings=SessionSettings(node=node),
    )
    plugins = PluginResolver(Catalogue(), config, {})
    discovery = Discovery(config, plugins, None, warnings.append)  # type: ignore[arg-type]
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


def chosen(*names: str, wanted: str | None = None, expected: str = "") -> str:
    ports = {name: 40000 + number for number, name in enumerate(names)}
    return choose_name(ports, wanted=wanted, expected=expected, where=WHERE)


def test_the_only_name_is_it() -> None:
    assert chosen("shop") == "shop"


@pytest.mark.parametrize(
    "helper",
    [
        "rpc-4a2f-shop",
        "rem-19c1-shop",
        "remsh5f3a9b01-shop",
        "longname1a2b-shop",
        "shop_maint_4711",
        "VerneMQ_maint_12",
        "couchdb_diag812",
        "rabbitmqcli-819-rabbit",
        "rabbitmq-cli-08",
        "rabbit_prelaunch_77",
        "a1b-ctl-ejabberd",
        "9C-debug-ejabberd",
        "a1b-ping",
    ],
)
def test_somebody_elses_console_is_ignored(helper: str) -> None:
    assert chosen(helper, "shop") == "shop"
    with pytest.raises(SeveralNodesError) as raised:
        chosen(helper, "shop", "zoo")
    assert raised.value.remedy == "Name one with `--node`, e.g. `--node shop`."


@pytest.mark.parametrize("name", ["rpc", "remote-1", "rabbit", "ejabberd", "ctl", "shop-ctl2"])
def test_a_name_that_is_only_like_a_console_s_is_a_node(name: str) -> None:
    assert chosen(name) == name


def test_the_name_that_the_backend_expects_wins() -> None:
    assert chosen("shop", "billing", expected="billing") == "billing"


@pytest.mark.parametrize("wanted", ["billing", "billing@10.3.2.1"])
def test_the_user_chooses(wanted: str) -> None:
    assert chosen("shop", "billing", wanted=wanted, expected="shop") == "billing"


def test_several_names_are_listed() -> None:
    with pytest.raises(SeveralNodesError, match="billing, shop") as raised:
        chosen("shop", "billing")
    assert int(raised.value.exit_code) == 2


def test_a_name_that_is_not_there_is_no_reason_to_guess() -> None:
    with pytest.raises(SeveralNodesError, match="'stock' is not one of them"):
        chosen("shop", wanted="stock")


def test_an_epmd_without_nodes() -> None:
    with pytest.raises(NoNodeFoundError, match="knows no node"):
        chosen()


def test_only_helpers_are_no_nodes_either() -> None:
    with pytest.raises(NoNodeFoundError, match="rpc-4a2f-shop"):
        chosen("rpc-4a2f-shop")


def test_targets_by_node_host_or_address() -> None:
    first = Target(node=NodeName.parse("app@a.example"), address="10.0.0.1")
    second = Target(node=NodeName.parse("app@b.example"), address="10.0.0.2")
    both = [first, second]
    for wanted in ("app@b.example", "b.example", "10.0.0.2"):
        assert choose_targets(both, wanted) == [second]
    assert choose_targets(both, None) == both
    assert choose_targets(both, "billing") == both


def test_a_wrong_choice_is_not_overruled_by_what_the_backend_expects() -> None:
    with pytest.raises(SeveralNodesError, match="'stock' is not one of them"):
        chosen("shop", "billing", wanted="stock", expected="shop")


def listed(name: str = "app", address: str = "10.3.2.1") -> Target:
    return Target(
        node=NodeName(name=name, host=address),
        address=address,
        facts={"target": "pod-0.shop.internal", "label": "pod-0", "service": "shop.internal"},
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("shop@fixed.example", "shop@fixed.example"),
        ("{basename}@{target}", "app@pod-0.shop.internal"),
        ("{basename}@{ip}", "app@10.3.2.1"),
        ("{basename}@{dashed_ip}.shop.pod.cluster.local", "app@10-3-2-1.shop.pod.cluster.local"),
        ("{label}@{service}", "pod-0@shop.internal"),
    ],
)
def test_fields_come_from_the_target_and_the_query(template: str, expected: str) -> None:
    assert str(render_node(template, listed(), QUERY)) == expected


def test_an_ipv6_address_gets_dashes_too() -> None:
    name = render_node("a@{dashed_ip}", listed(address="fd12::2"), QUERY)
    assert name.host == "fd12--2"


def test_a_basename_that_only_epmd_knows_stays_empty() -> None:
    assert render_node("{basename}@{ip}", listed(name=""), QUERY) == NodeName(
        name="", host="10.3.2.1"
    )


@pytest.mark.parametrize("template", ["app@{zone}", "app", "a b@host", "{basename}x@{nothing}"])
def test_what_cannot_be_rendered_names_the_fields_there_are(template: str) -> None:
    with pytest.raises(UsageError) as raised:
        render_node(template, listed(), QUERY)
    assert "{dashed_ip}" in raised.value.remedy
