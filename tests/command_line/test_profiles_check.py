"""``erlconnect profiles init``: a first file out of what is on this machine."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import pytest
from configuration.homes import write

if TYPE_CHECKING:
    from command_line.running import Run
    from configuration.homes import Home

_CONSUL = {"CONSUL_HTTP_ADDR": "https://me:secret-pass@consul.internal:8501"}


def link_with_railway(here: Home) -> None:
    link = {"project": "1d3f-a", "environment": "production-id", "projectPath": str(here.work)}
    content = {"projects": {str(here.work): link}, "user": {"token": "secret-token-of-railway"}}
    write(here.folder / ".railway" / "config.json", json.dumps(content))


def test_a_profile_for_each_place_that_is_found(here: Home, run: Run) -> None:
    link_with_railway(here)
    shown = run("profiles", "init", CONSUL_HTTP_ADDR="10.3.2.9:8500")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"{here.user_file} is written")
    content = tomllib.loads(here.user_file.read_text())
    assert content == {
        "profiles": {
            "consul": {"backend": "consul", "consul": {"address": "http://10.3.2.9:8500"}},
            "railway": {
                "backend": "railway",
                "railway": {"project": "1d3f-a", "environment": "production-id"},
            },
        }
    }
    assert "# CONSUL_HTTP_ADDR\n" in here.user_file.read_text()
    assert run("profiles", "check").returncode == 0
    assert run("profiles", "show", "railway").returncode == 0


def test_the_only_profile_is_the_default(here: Home, run: Run) -> None:
    run("profiles", "init", CONSUL_HTTP_ADDR="10.3.2.9:8500")
    assert run("profiles").stdout.split()[:3] == ["consul", "consul", "default"]


_KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: prod-eu
clusters: [{name: c, cluster: {server: "https://10.0.0.1"}}]
users: [{name: u, user: {token: secret-token-of-kubernetes}}]
contexts:
- {name: prod-eu, context: {cluster: c, user: u, namespace: shop}}
- {name: "arn:aws:eks:eu:1:cluster/test", context: {cluster: c, user: u}}
- {name: pod, context: {cluster: c, user: u}}
"""


def test_a_profile_for_each_context_of_the_kubeconfig(here: Home, run: Run) -> None:
    write(here.folder / ".kube" / "config", _KUBECONFIG)
    shown = run("profiles", "init")
    assert (shown.returncode, shown.stderr) == (0, "")
    profiles = tomllib.loads(here.user_file.read_text())["profiles"]
    assert {name: one["kubernetes"] for name, one in profiles.items()} == {
        "prod-eu": {"context": "prod-eu", "namespace": "shop"},
        "arn-aws-eks-eu-1-cluster-test": {"context": "arn:aws:eks:eu:1:cluster/test"},
        "pod-1": {"context": "pod"},
    }
    assert run("profiles", "check").returncode == 0


def test_no_secret_gets_into_it(here: Home, run: Run) -> None:
    link_with_railway(here)
    write(here.folder / ".kube" / "config", _KUBECONFIG)
    shown = run("profiles", "init", "--print", **_CONSUL)
    assert "prod-eu" in shown.stdout
    assert "secret" not in shown.stdout + shown.stderr


def test_where_nothing_is_found_the_file_is_an_example(here: Home, run: Run) -> None:
    run("profiles", "init")
    text = here.user_file.read_text()
    assert tomllib.loads(text) == {}
    uncommented = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if " = " in line or "[" in line
    ).replace("NAME", "staging")
    assert tomllib.loads(uncommented)["profiles"]["staging"]["backend"] == "dns"
    here.user_file.write_text(uncommented)
    assert run("profiles", "check").stdout == f"nothing is wrong with {here.user_file}\n"


@pytest.mark.parametrize("text", ["", "what is this"])
def test_a_file_that_is_there_stays_as_it_is(here: Home, run: Run, text: str) -> None:
    here.user(text)
    shown = run("profiles", "init")
    assert shown.returncode == 2
    assert f"there is a file {here.user_file} already" in shown.stderr
    assert here.user_file.read_text() == text


def test_printing_touches_nothing(here: Home, run: Run) -> None:
    shown = run("profiles", "init", "--print", CONSUL_HTTP_ADDR="10.3.2.9:8500")
    assert tomllib.loads(shown.stdout)["default-profile"] == "consul"
    assert not here.user_file.exists()


def test_another_place_may_be_named(here: Home, run: Run) -> None:
    path = here.folder / "mine.toml"
    assert run("profiles", "init", "--config", str(path)).returncode == 0
    assert path.exists()
    assert not here.user_file.exists()


def test_a_place_that_cannot_be_written_is_named(here: Home, run: Run) -> None:
    write(here.folder / "x", "no folder")
    shown = run("profiles", "init", "--config", str(here.folder / "x" / "c.toml"))
    assert shown.returncode == 78
    assert f"{here.folder / 'x' / 'c.toml'} cannot be written" in shown.stderr


def test_a_backend_that_cannot_look_does_not_stop_the_others(here: Home, run: Run) -> None:
    write(here.folder / ".railway" / "config.json", "{ broken")
    shown = run("profiles", "init", "--print", CONSUL_HTTP_ADDR="10.3.2.9:8500")
    assert shown.returncode == 0
    assert "note: railway was not looked at: the railway command's file" in shown.stderr
    assert list(tomllib.loads(shown.stdout)["profiles"]) == ["consul"]
