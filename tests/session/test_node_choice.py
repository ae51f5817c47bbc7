"""Which target, and which of several names in one epmd."""

from __future__ import annotations

import pytest

from erlconnect.api import NodeName, Target
from erlconnect.errors import NoNodeFoundError, SeveralNodesError
from erlconnect.session.node_choice import choose_name, choose_targets

WHERE = "10.3.2.1:4369"


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
