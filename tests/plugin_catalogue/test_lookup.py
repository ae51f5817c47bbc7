from __future__ import annotations

import pytest

from erlconnect.api import Offer, Settings
from erlconnect.errors import PluginError
from erlconnect.plugin_catalogue.entries import CatalogueEntry
from erlconnect.plugin_catalogue.kinds import Kind
from erlconnect.plugin_catalogue.loading import PluginReport
from erlconnect.plugin_catalogue.lookup import find, foreign_variables, offered


def entry(name: str, problem: str = "") -> CatalogueEntry:
    return CatalogueEntry(
        name=name, module=name, distribution=f"erlconnect-{name}", version="1", problem=problem
    )


class Relay(Settings):
    command: str
    no_shell: bool = False


def report(name: str, **kinds: type[Settings]) -> PluginReport:
    offers = {
        Kind[kind]: Offer(name=name, summary="", settings=settings, create=repr)
        for kind, settings in kinds.items()
    }
    return PluginReport(entry=entry(name), offers=offers, seconds={}, problems=())


def test_variables_of_a_plugin_with_a_longer_name_are_not_of_the_shorter_one() -> None:
    entries = [entry("consul"), entry("consul-kv"), entry("consulate"), entry("dns")]
    consul = report("consul", BACKEND=Relay)
    assert foreign_variables(entries, consul, Kind.BACKEND) == ("ERLCONNECT_CONSUL_KV_",)


def test_variables_of_the_other_kinds_of_the_same_plugin_are_theirs() -> None:
    command = report("command", COOKIE_SOURCE=Settings, TRANSPORT=Relay)
    expected = ("ERLCONNECT_COMMAND_COMMAND", "ERLCONNECT_COMMAND_NO_SHELL")
    assert foreign_variables([command.entry], command, Kind.COOKIE_SOURCE) == expected
    assert foreign_variables([command.entry], command, Kind.TRANSPORT) == ()


def test_a_refused_name_is_found_only_where_it_may_be() -> None:
    refused = entry("twin", problem="two want it")
    assert find([refused], "twin", even_refused=True) is refused
    with pytest.raises(PluginError, match="two want it"):
        find([refused], "twin")


def test_problems_beside_a_good_offer_do_not_spoil_it() -> None:
    good = report("relay", TRANSPORT=Relay)
    assert offered(good, Kind.TRANSPORT).settings is Relay
