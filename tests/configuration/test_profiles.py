"""Which of several values holds: by file, by ancestor, by service, by the offer that is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from erlconnect.configuration.files import profile_names, service_names
from erlconnect.configuration.problems import ProblemError
from erlconnect.configuration.profiles import OF_ANY_TRANSPORT
from erlconnect.configuration.tls_settings import TLS_KEYS
from erlconnect.errors import ConfigurationError, UnknownProfileError

if TYPE_CHECKING:
    from configuration.homes import Home

    from erlconnect.configuration.profiles import Profile

_FAMILY = """
[profiles.base]
backend = "consul"
dist-port = 1
cookie = { from = "consul-kv", key = "erlang/cookie", datacenter = "eu1" }
[profiles.base.consul]
datacenter = "eu1"
tag = "base"
[profiles.base.services.shop]
node = "shop@base"
dist-port = 2
[profiles.staging]
inherits = "base"
dist-port = 3
[profiles.staging.consul]
tag = "staging"
[profiles.staging.services.shop]
node = "shop@staging"
"""


def values(profile: Profile) -> dict[str, object]:
    return {".".join(keys): stack[0].value for keys, stack in profile.stacks.items()}


def test_an_heir_wins_over_its_ancestor_key_by_key(here: Home) -> None:
    here.user(_FAMILY)
    assert values(here.read().profiles.resolve("staging")) == {
        "backend": "consul",
        "dist-port": 3,
        "cookie.from": "consul-kv",
        "cookie.key": "erlang/cookie",
        "cookie.datacenter": "eu1",
        "consul.datacenter": "eu1",
        "consul.tag": "staging",
    }


def test_a_service_wins_over_the_profile_and_its_ancestors_service_too(here: Home) -> None:
    """An ancestor's table for the service is more exact than the profile's general value."""
    here.user(_FAMILY)
    found = values(here.read().profiles.resolve("staging", "shop"))
    assert (found["node"], found["dist-port"]) == ("shop@staging", 2)
    assert "node" not in values(here.read().profiles.resolve("staging", "billing"))


def test_each_value_keeps_its_place_and_what_it_was_written_over(here: Home) -> None:
    here.user(_FAMILY)
    stack = here.read().profiles.resolve("staging", "shop").stacks[("dist-port",)]
    assert [(one.value, one.line, one.table) for one in stack] == [
        (2, 10, "profiles.base.services.shop"),
        (3, 13, "profiles.staging"),
        (1, 3, "profiles.base"),
    ]
    assert stack[0].where == f"{here.user_file}, line 10"


def test_the_projects_file_wins_over_the_users_and_an_heir_over_both(here: Home) -> None:
    here.user('[profiles.a]\nnode = "a@user"\ndist-port = 1\n[profiles.b]\ninherits = "a"\n')
    here.project("[profiles.a]\n")
    assert values(here.read().profiles.resolve("a")) == {"node": "a@user", "dist-port": 1}
    here.project('[profiles.a]\nnode = "a@project"\n[profiles.b]\ndist-port = 2\n')
    named = here.project_file
    both = here.read(named)
    assert values(both.profiles.resolve("a")) == {"node": "a@project"}


def test_both_files_together_once_the_projects_is_trusted(
    here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erlconnect.configuration.trust.is_trusted", lambda *_: True)
    here.user('[profiles.a]\nnode = "a@user"\ndist-port = 1\n[profiles.b]\ninherits = "a"\n')
    here.project('[profiles.a]\nnode = "a@project"\n[profiles.b]\ndist-port = 2\n')
    profiles = here.read().profiles
    assert values(profiles.resolve("a")) == {"node": "a@project", "dist-port": 1}
    assert values(profiles.resolve("b")) == {"node": "a@project", "dist-port": 2}
    assert profiles.definition("b").where == f"{here.project_file}, line 3"


_COOKIES = """
[profiles.a]
cookie = { from = "env", name = "A" }
[profiles.b]
inherits = "a"
cookie = { from = "file", path = "b" }
[profiles.c]
inherits = "b"
cookie = { path = "c" }
[profiles.d]
inherits = "a"
cookie = { from = "env" }
[profiles.loose]
cookie = { path = "loose" }
[profiles.way]
transport = { name = "command", command = "ssh" }
[profiles.other-way]
inherits = "way"
transport = "direct"
"""


@pytest.mark.parametrize(
    ("profile", "chosen", "cookie"),
    [
        ("a", None, {"name": "A"}),
        ("b", None, {"path": "b"}),
        ("c", None, {"path": "c"}),
        ("d", None, {"name": "A"}),
        ("b", "env", {"name": "A"}),
        ("b", "prompt", {}),
        ("loose", None, {"path": "loose"}),
        ("loose", "file", {"path": "loose"}),
    ],
)
def test_settings_follow_the_cookie_source_that_they_are_written_for(
    here: Home, profile: str, chosen: str | None, cookie: dict[str, str]
) -> None:
    here.user(_COOKIES)
    found = here.read().profiles.resolve(profile, chosen={"cookie": chosen})
    assert {key: one.value for key, one in found.table("cookie").items()} == cookie


def test_settings_of_another_cookie_source_are_kept_as_not_used(here: Home) -> None:
    here.user(_COOKIES)
    found = here.read().profiles.resolve("b")
    assert list(found.unused) == [("cookie", "name")]
    assert [one.value for one in found.stacks["cookie", "from"]] == ["file", "env"]


def test_a_transport_may_be_a_name_alone(here: Home) -> None:
    here.user(_COOKIES)
    profiles = here.read().profiles
    way = profiles.resolve("way").get("transport", "name")
    other = profiles.resolve("other-way")
    assert way
    assert way.value == "command"
    assert [one.value for one in other.stacks["transport", "name"]] == ["direct", "command"]
    assert other.table("transport") == {}


def test_tls_is_spoken_whatever_the_transport(here: Home) -> None:
    here.user("""
        [profiles.a]
        transport = { name = "direct", host = "h", tls-ca = "ca.pem" }
        [profiles.b]
        inherits = "a"
        transport = { name = "command", command = "ssh" }
        """)
    profiles = here.read().profiles
    assert set(profiles.resolve("b").table("transport")) == {"command", "tls-ca"}
    by_flag = profiles.resolve("a", chosen={"transport": "command"})
    assert set(by_flag.table("transport")) == {"tls-ca"}
    assert OF_ANY_TRANSPORT == TLS_KEYS


def test_a_circle_names_everyone_in_it(here: Home) -> None:
    here.user(
        '[profiles.a]\ninherits = "b"\n[profiles.b]\ninherits = "c"\n[profiles.c]\ninherits = "b"\n'
    )
    with pytest.raises(ProblemError) as caught:
        here.read().profiles.resolve("a")
    assert caught.value.message == (
        f"{here.user_file}, line 6: profiles inherit in a circle: b -> c -> b"
    )


def test_a_profile_that_inherits_from_itself(here: Home) -> None:
    here.user('[profiles.a]\ninherits = "a"\n')
    with pytest.raises(ProblemError, match="line 2: profiles inherit in a circle: a -> a"):
        here.read().profiles.chain("a")


def test_an_ancestor_that_is_none_gets_a_suggestion(here: Home) -> None:
    here.user('[profiles.staging]\n[profiles.a]\ninherits = "stagin"\n')
    with pytest.raises(ProblemError) as caught:
        here.read().profiles.resolve("a")
    assert caught.value.message.endswith(", line 3: there is no profile 'stagin' to inherit from")
    assert caught.value.remedy == "Did you mean 'staging'? There are: a, staging."


def test_an_unknown_profile_gets_a_suggestion(here: Home) -> None:
    here.user("[profiles.staging]\n[profiles.production]\n")
    with pytest.raises(UnknownProfileError) as caught:
        here.read().profiles.resolve("prodution")
    assert caught.value.message == "there is no profile 'prodution'"
    assert caught.value.remedy == "Did you mean 'production'? There are: production, staging."


def test_without_any_profile_it_is_said_how_to_get_one(here: Home) -> None:
    with pytest.raises(ConfigurationError) as caught:
        here.read().profiles.resolve("x")
    assert caught.value.remedy == "`erlconnect profiles init` makes one."


def test_the_default_is_the_projects_before_the_users(here: Home) -> None:
    here.user('default-profile = "a"\n[profiles.a]\n[profiles.b]\n')
    assert here.read().profiles.default() == "a"
    here.project('default-profile = "b"\n')
    assert here.read().profiles.default() == "b"


def test_a_default_that_is_no_profile_has_its_line(here: Home) -> None:
    here.user('# mine\ndefault-profile = "a"\n[profiles.ab]\n')
    with pytest.raises(ProblemError, match="line 2: there is no profile 'a'") as caught:
        here.read().profiles.default()
    assert caught.value.remedy == "Did you mean 'ab'? There are: ab."


def test_services_are_those_of_the_ancestors_too(here: Home) -> None:
    here.user(_FAMILY + "[profiles.staging.services.billing]\n")
    assert here.read().profiles.services("staging") == ["billing", "shop"]


def test_names_for_completion(here: Home) -> None:
    here.user("[profiles.b]\n[profiles.a]\n")
    here.project("[profiles.c]\nbackend = 'untrusted'\n")
    assert profile_names(here.environment) == ["a", "b", "c"]


@pytest.mark.parametrize("text", ["what is this", "profiles = 1", "[profiles]\na = 1"])
def test_names_for_completion_are_never_an_error(here: Home, text: str) -> None:
    here.user(text)
    assert profile_names(here.environment) in ([], ["a"])
    assert service_names("a", here.environment) == []


def test_services_for_completion(here: Home) -> None:
    here.user(_FAMILY)
    assert service_names("staging", here.environment) == ["shop"]
    assert service_names("nobody", here.environment) == []
    here.user('[profiles.a]\ninherits = "a"\n')
    assert service_names("a", here.environment) == []
