"""What a file may hold: every mistake with its line, what was meant, and never a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from configuration.homes import write

from erlconnect.configuration.files import read_document
from erlconnect.configuration.paths import ConfigPath, Scope
from erlconnect.configuration.profile_schema import (
    KUBERNETES_KINDS,
    PROFILE_KEYS,
    SERVICE_KEYS,
    name_fault,
    profile_name,
    shape_problems,
)
from erlconnect.configuration.session_settings import SESSION_KEYS

if TYPE_CHECKING:
    from pathlib import Path

    from erlconnect.configuration.problems import Problem

_RIGHT = """
default-profile = "staging"
[plugins]
prefer = { nomad = "erlconnect-nomad" }
[profiles.staging]
backend = "consul"
cookie = { from = "consul-kv", key = "erlang/cookie" }
transport = { name = "command", command = "ssh -W %h:%p bastion", shell = false }
epmd-port = 4370
dist-port = 9100
max-frame = 1048576
look-again = 30
node = "{basename}@{ip}"
as = "shop"
caller-name = "console"
local-cookie-file = "cookie"
confirm = true
[profiles.staging.consul]
datacenter = "eu1"
[profiles.production]
inherits = "staging"
transport = "direct"
caller-name = "console@ops"
cookie = { names = ["A", "B"] }
[profiles.production.services."_epmd._tcp.shop"]
target = "shop"
confirm = false
[profiles.empty]
"""


def problems(folder: Path, text: str) -> list[Problem]:
    path = write(folder / "c.toml", text)
    document = read_document(ConfigPath(path=path, scope=Scope.USER))
    assert document
    return list(shape_problems(document))


def test_all_that_a_file_may_hold(tmp_path: Path) -> None:
    assert problems(tmp_path, _RIGHT) == []


@pytest.mark.parametrize(
    ("text", "line", "key", "meant"),
    [
        ("default_profile = 'x'", 1, "default_profile", "default-profile"),
        ("[profile.x]", 1, "profile", "profiles"),
        ("[profiles.x]\n\nbackned = 'dns'", 3, "backned", "backend"),
        ("[profiles.x]\nepmd_port = 1", 2, "epmd_port", "epmd-port"),
        ("[profiles]\nx = { inherit = 'y' }", 2, "inherit", "inherits"),
        ("[profiles.x.services.y]\nas_ = 'z'", 2, "as_", "as"),
    ],
)
def test_an_unknown_key_has_its_line_and_what_may_be_meant(
    tmp_path: Path, text: str, line: int, key: str, meant: str
) -> None:
    [problem] = problems(tmp_path, text)
    assert problem.where == f"{tmp_path / 'c.toml'}, line {line}"
    assert problem.message == f"{key!r} is not a known key"
    assert problem.remedy.startswith(f"Did you mean {meant!r}? Known here: ")


@pytest.mark.parametrize("key", ["inherits = 'x'", "services = {}"])
def test_a_service_has_no_ancestors_and_no_services(tmp_path: Path, key: str) -> None:
    [problem] = problems(tmp_path, f"[profiles.x.services.y]\n{key}")
    assert problem.line == 2
    assert "Known here: target, backend" in problem.remedy


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("backend = 1", "'backend' must be a name that `erlconnect plugins` lists"),
        ("backend = 'Consul'", "'backend' must be a name"),
        ("inherits = ['x']", "'inherits' must be a text"),
        ("inherits = ''", "'inherits' must be a text"),
        ("confirm = 'yes'", "'confirm' must be true or false"),
        ("confirm = 1", "'confirm' must be true or false"),
        ("epmd-port = '4369'", "'epmd-port' must be a number from 1 to 65535"),
        ("dist-port = 65536", "'dist-port' must be a number from 1 to 65535"),
        ("dist-port = true", "'dist-port' must be a number"),
        ("max-frame = 1.5", "'max-frame' must be a number from 1048576"),
        ("node = {}", "'node' must be a text"),
        ("as = 'a b'", "'as' cannot be used: "),
        ("as = 'a@b'", "'as' cannot be used: "),
        ("caller-name = 'a@b@c'", "'caller-name' cannot be used: "),
        ("local-cookie-file = 1", "'local-cookie-file' must be a text"),
        ("services = []", "'services' must be a table"),
        ("services = { shop = 1 }", "'shop' must be a table"),
        ("transport = 1", "'transport' must be a name that `erlconnect plugins` lists, or a table"),
        ("transport = { name = 'A' }", "'transport' needs a 'name' that must be a name"),
        ("cookie = { from = 'env:X' }", "'cookie' needs a 'from' that must be a name"),
        ("cookie = ['env']", "'cookie' must be a table"),
        ("consul = { tags = { a = 1 } }", "'tags' must be a text, a number, true, false or a list"),
        ("consul = { tags = [{ a = 1 }] }", "'tags' must be a text, a number, true, false or a li"),
        ("consul = { since = 1979-05-27 }", "'since' must be a text, a number, true, false or a l"),
    ],
)
def test_a_value_that_does_not_fit_says_what_would(tmp_path: Path, line: str, says: str) -> None:
    [problem] = problems(tmp_path, f"[profiles.x]\n{line}\n")
    assert problem.message.startswith(says)
    assert problem.line == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("default-profile = 1", "'default-profile' must be the name of a profile"),
        ("profiles = 1", "'profiles' must be a table"),
        ("profiles = { x = 1 }", "'x' must be a table"),
    ],
)
def test_tables_are_tables(tmp_path: Path, text: str, says: str) -> None:
    [problem] = problems(tmp_path, text)
    assert (problem.message, problem.line) == (says, 1)


@pytest.mark.parametrize(
    "cookie",
    ['cookie = "%s"', 'cookie.from = "%s"', 'cookie = { from = "%s" }', "cookie = ['%s']"],
)
@pytest.mark.parametrize("secret", ["WXYZVBNMLKJHGFDSAQPO", "a secret", "env:hunter2hunter2"])
@pytest.mark.parametrize("place", ["[profiles.x]", "[profiles.x.services.y]"])
def test_a_cookie_in_a_file_is_refused_and_not_repeated(
    tmp_path: Path, cookie: str, secret: str, place: str
) -> None:
    [problem] = problems(tmp_path, f"{place}\n{cookie % secret}\n")
    assert problem.line == 2
    assert secret not in repr(problem)


def test_a_cookie_in_a_file_is_answered_with_where_it_may_be(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, '[profiles.x]\ncookie = "prompt"')
    assert problem.message == "a cookie itself does not belong into a file"
    assert 'cookie = { from = "env", name = "SHOP_COOKIE" }' in problem.remedy


def test_every_mistake_is_found_at_once(tmp_path: Path) -> None:
    text = """
        default = "x"
        [profiles.x]
        backend = 1
        confirm = 2
        cookie = "s3cret s3cret"
        [profiles."a b"]
        [profiles.deploy]
        """
    assert [problem.line for problem in problems(tmp_path, text)] == [1, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("name", ["deploy", "Pod", "sts", "svc"])
def test_a_profile_is_not_called_like_a_kind_of_kubernetes(tmp_path: Path, name: str) -> None:
    [problem] = problems(tmp_path, f"[profiles.{name}]\nbackend = 'dns'")
    kind = f"`{name}/shop` means a Kubernetes object"
    assert problem.message == f"{name!r} cannot name a profile: {kind}"
    assert problem.line == 1


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-x", ".x", "é", "a\x1bb"])
def test_a_name_that_could_not_be_typed(name: str) -> None:
    assert "use letters, digits" in name_fault(name)


@pytest.mark.parametrize("name", ["staging", "eu-1.prod_2", "7", "deployer"])
def test_a_name_that_can_be_typed(name: str) -> None:
    assert name_fault(name) == ""


@pytest.mark.parametrize(
    "text", ["arn:aws:eks:eu:1:cluster/x", "gke_a_b_c", "me@home", "--", "", "pod", "é é", *"./"]
)
def test_a_name_is_made_that_can_be_typed(text: str) -> None:
    assert name_fault(profile_name(text)) == ""


def test_the_kinds_are_those_that_may_stand_before_a_slash() -> None:
    assert {"deploy", "sts", "ds", "job", "rollout", "pod", "svc"} <= KUBERNETES_KINDS


def test_a_profile_may_have_every_setting_of_the_session() -> None:
    assert set(SESSION_KEYS) <= set(PROFILE_KEYS)
    assert set(SESSION_KEYS) <= set(SERVICE_KEYS)
