"""``erlconnect profiles``: what people and programs are shown, word for word."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from command_line.running import Run
    from configuration.homes import Home

_USERS = """
default-profile = "staging"
[profiles.staging]
backend = "consul"
cookie  = { from = "consul-kv", key = "erlang/cookie" }
dist-port = 9100
[profiles.staging.consul]
datacenter = "eu1"
[profiles.production]
inherits  = "staging"
backend   = "dns"
confirm   = true
cookie    = { from = "env", name = "SHOP_COOKIE" }
[profiles.production.dns]
server = "10.3.2.53"
[profiles.production.services.shop]
target = "_epmd._tcp.shop.internal"
as = "shop-prod"
"""
_EXPLAINED = """\
production/shop inherits from staging

target = "_epmd._tcp.shop.internal"
    CONFIG, line 16 (profiles.production.services.shop)

backend = "dns"
    CONFIG, line 10 (profiles.production)
    over "consul" of CONFIG, line 3 (profiles.staging)

dist-port = "9200"
    the variable ERLCONNECT_SESSION_DIST_PORT
    over 9100 of CONFIG, line 5 (profiles.staging)

as = "shop-prod"
    CONFIG, line 17 (profiles.production.services.shop)

confirm = true
    CONFIG, line 11 (profiles.production)

dns.record = "a"
    the variable ERLCONNECT_DNS_RECORD

dns.server = "10.3.2.53"
    CONFIG, line 14 (profiles.production.dns)

cookie.from = "env"
    CONFIG, line 12 (profiles.production.cookie)
    over "consul-kv" of CONFIG, line 4 (profiles.staging.cookie)

cookie.name = "SHOP_COOKIE"
    CONFIG, line 12 (profiles.production.cookie)

consul.datacenter = "eu1"
    CONFIG, line 7 (profiles.staging.consul)
    not used: the backend is dns

cookie.key = "erlang/cookie"
    CONFIG, line 4 (profiles.staging.cookie)
    not used: the cookie is from env
"""
_VARIABLES = {"ERLCONNECT_SESSION_DIST_PORT": "9200", "ERLCONNECT_DNS_RECORD": "a"}


@pytest.fixture(autouse=True)
def _a_file_of_the_user(here: Home) -> None:
    here.user(_USERS)


def test_the_list_for_people(here: Home, run: Run) -> None:
    shown = run("profiles")
    assert shown.stdout == (
        f"production  dns     inherits staging, asks first  {here.user_file}, line 8\n"
        f"staging     consul  default                       {here.user_file}, line 2\n"
    )
    assert (shown.returncode, shown.stderr) == (0, "")


def test_the_list_for_programs(here: Home, run: Run) -> None:
    first, second = map(json.loads, run("profiles", "--json").stdout.splitlines())
    assert first == {
        "schema": 1,
        "event": "profile",
        "name": "production",
        "backend": "dns",
        "inherits": ["staging"],
        "services": ["shop"],
        "default": False,
        "confirm": True,
        "file": str(here.user_file),
        "line": 8,
    }
    assert (second["name"], second["default"]) == ("staging", True)


def test_the_variable_names_the_default(run: Run) -> None:
    shown = run("profiles", ERLCONNECT_PROFILE="production").stdout.splitlines()
    assert ["default" in line for line in shown] == [True, False]


def test_without_profiles_it_is_said_how_to_get_one(here: Home, run: Run) -> None:
    here.user_file.unlink()
    shown = run("profiles")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "erlconnect profiles init" in shown.stderr


def test_each_value_is_explained_with_its_line_and_what_it_is_used_over(
    here: Home, run: Run
) -> None:
    shown = run("profiles", "explain", "production/shop", **_VARIABLES)
    assert shown.stdout.replace(str(here.user_file), "CONFIG") == _EXPLAINED
    assert (shown.returncode, shown.stderr) == (0, "")


def test_programs_get_the_same_explanation(here: Home, run: Run) -> None:
    shown = run("profiles", "explain", "production/shop", "--json", **_VARIABLES)
    explained = json.loads(shown.stdout)
    values = {".".join(one["key"]): one for one in explained.pop("values")}
    assert explained == {
        "schema": 1,
        "event": "profile-explained",
        "name": "production",
        "service": "shop",
        "inherits": ["staging"],
    }
    in_file = {"variable": "", "file": str(here.user_file)}
    assert values["dist-port"] == {
        "key": ["dist-port"],
        "value": "9200",
        "variable": "ERLCONNECT_SESSION_DIST_PORT",
        "file": "",
        "line": None,
        "table": "",
        "over": [{"value": 9100, "line": 5, "table": "profiles.staging", **in_file}],
        "unused": "",
    }
    assert values["consul.datacenter"]["unused"] == "the backend is dns"
    assert [line.split(" = ")[0] for line in _EXPLAINED.splitlines() if " = " in line] == [*values]


def test_what_holds_is_shown_as_toml(run: Run) -> None:
    shown = run("profiles", "show", "production").stdout
    assert shown == (
        "# production inherits from staging\n"
        'backend = "dns"\n'
        "dist-port = 9100\n"
        "confirm = true\n"
        'dns.server = "10.3.2.53"\n'
        'cookie.from = "env"\n'
        'cookie.name = "SHOP_COOKIE"\n'
    )
    values = json.loads(run("profiles", "show", "production", "--json").stdout)["values"]
    assert values == tomllib.loads(shown)


@pytest.mark.parametrize("command", ["show", "explain"])
def test_an_unknown_profile_gets_a_suggestion(command: str, run: Run) -> None:
    shown = run("profiles", command, "stagin")
    assert (shown.returncode, shown.stdout) == (78, "")
    assert "there is no profile 'stagin'\nDid you mean 'staging'?" in shown.stderr


@pytest.mark.parametrize("command", ["show", "explain"])
def test_a_profile_with_mistakes_is_not_shown(command: str, here: Home, run: Run) -> None:
    """What stands under a key that nothing takes may be the secret itself."""
    here.user('[profiles.x]\ncookie = { from = "env", text = "hunter2hunter2" }\n')
    shown = run("profiles", command, "x")
    assert shown.returncode == 78
    assert "line 2: text: 'env' has no such setting" in shown.stderr
    assert "hunter2" not in shown.stdout + shown.stderr


def test_a_cookie_in_a_file_is_nowhere_to_be_seen(here: Home, run: Run) -> None:
    here.user('[profiles.x]\nbackend = "dns"\ncookie = "hunter2hunter2"\n')
    for words in (
        ["profiles"],
        ["profiles", "show", "x"],
        ["profiles", "explain", "x", "--json"],
        ["profiles", "check"],
        ["profiles", "check", "--json"],
        ["-p", "x", "shop"],
        ["x/shop", "--json", "-v"],
        ["trust", str(here.user_file)],
    ):
        shown = run(*words)
        output = shown.stdout + shown.stderr
        assert shown.returncode == 78, words
        assert f"{here.user_file}, line 3" in output or '"line": 3' in output
        assert "a cookie itself does not belong into a file" in output
        assert "hunter2" not in output


def test_a_check_without_mistakes_says_what_was_checked(here: Home, run: Run) -> None:
    shown = run("profiles", "check")
    assert (shown.returncode, shown.stdout) == (0, f"nothing is wrong with {here.user_file}\n")
    assert run("profiles", "check", "--json").stdout == ""
    here.user_file.unlink()
    assert run("profiles", "check").stdout == "there is no configuration file\n"


_NO_BOOLEAN = "Input should be a valid boolean, unable to interpret input"
_MISTAKES = """
default-profile = "stagin"
[profiles.staging]
backend = "consl"
[profiles.staging.consul]
datacentre = "eu1"
[profiles.lost]
inherits = "nobody"
[profiles.a]
inherits = "b"
[profiles.b]
inherits = "a"
[profiles.typed]
backend = "dns"
transport = { name = "direct", host = 4 }
cookie.from = "direct"
[profiles.typed.dns]
tcp = "maybe"
[profiles.typed.services.shop.dnss]
server = "x"
"""


def test_every_mistake_is_told_with_its_line_and_a_remedy(here: Home, run: Run) -> None:
    here.user(_MISTAKES)
    shown = run("profiles", "check")
    assert shown.returncode == 78
    lines = [
        line.removeprefix(f"{here.user_file}, ")
        for line in shown.stdout.splitlines()
        if not line.startswith("    ")
    ]
    assert sorted(lines, key=lambda line: int(line.split()[1].rstrip(":"))) == [
        "line 1: there is no profile 'stagin'",
        "line 3: nothing that is installed is called 'consl'",
        "line 5: datacentre: 'consul' has no such setting",
        "line 7: there is no profile 'nobody' to inherit from",
        "line 9: profiles inherit in a circle: b -> a -> b",
        "line 11: profiles inherit in a circle: a -> b -> a",
        "line 14: host=4 cannot be used: Input should be a valid string",
        "line 15: 'direct' cannot be used as a cookie source: transport",
        f'line 17: tcp="maybe" cannot be used: {_NO_BOOLEAN}',
        "line 19: 'dnss' is neither a known key nor a backend that is installed",
    ]
    assert shown.stdout.count("Did you mean 'consul'? ") == 1
    assert shown.stdout.count("Did you mean 'datacenter'? ") == 1
    assert len(shown.stdout.splitlines()) == 2 * len(lines)
    events = [json.loads(line) for line in run("profiles", "check", "--json").stdout.splitlines()]
    assert [f"line {one['line']}: {one['message']}" for one in events] == lines
    assert {tuple(one) for one in events} == {
        ("schema", "event", "file", "line", "message", "remedy")
    }


def test_mistakes_of_both_files_are_told_together(here: Home, run: Run) -> None:
    here.user("[profiles.a]\nbackned = 'dns'\n")
    here.project("[profiles.b\n")
    shown = run("profiles", "check")
    assert shown.returncode == 78
    assert f"{here.user_file}, line 2: 'backned' is not a known key" in shown.stdout
    assert f"{here.project_file}, line 1: this is not TOML: " in shown.stdout


def test_a_check_says_that_a_file_is_not_trusted_and_looks_at_it_all_the_same(
    here: Home, run: Run
) -> None:
    here.project("[profiles.b]\nbackend = 'dnss'\n")
    shown = run("profiles", "check")
    assert f"{here.project_file}, line 2: nothing that is installed is called" in shown.stdout
    assert f"note: {here.project_file} is not used until `erlconnect trust`" in shown.stderr


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["name"] for event in events]


def test_another_file_may_be_named(here: Home, run: Run) -> None:
    other = here.folder / "other.toml"
    other.write_text("[profiles.other]\n")
    for shown in (
        run("profiles", "--config", str(other), "--json"),
        run("profiles", "--json", ERLCONNECT_CONFIG=str(other)),
    ):
        assert names([json.loads(line) for line in shown.stdout.splitlines()]) == ["other"]
