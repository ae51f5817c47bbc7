"""The Tab key in real shells, each with what ``--install-completion`` put in its place."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import COMMAND
from end_to_end.terminal import AtTerminal
from world.consul import ConsulAgent
from world.missing import require
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELLS = ["bash", "zsh", "fish"]
CONFIG = """
[profiles.staging]
backend = "dns"
[profiles.staging.services.billing]
target = "billing.internal"
[profiles.production]
backend = "dns"
confirm = true
[profiles."$(touch pwned)"]
backend = "dns"
"""


def environment(home: Path) -> dict[str, str]:
    path = f"{COMMAND.parent}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "PS1": "> ", "ZDOTDIR": str(home)}


def installed(shell: str, home: Path) -> None:
    require(shell, shutil.which(shell) is not None)
    subprocess.run(
        # The second command keeps the shell from being replaced by the first one.
        [shell, "-c", "erlconnect --install-completion; true"],
        env={**os.environ, **environment(home)},
        check=True,
        capture_output=True,
        timeout=60,
    )


@contextmanager
def prompt(shell: str, home: Path) -> Iterator[AtTerminal]:
    installed(shell, home)
    words = {"bash": ("--noprofile", "-i"), "zsh": ("-i",), "fish": ("-i",)}[shell]
    with AtTerminal(*words, environment=environment(home), program=shell) as terminal:
        terminal.type("echo it is re''ady\r")
        terminal.wait_for("it is ready")
        reads_keys(terminal)
        if shell == "zsh":
            # It loads the function at the first Tab and calls it at the next.
            terminal.type("erlconnect \t\x15")
            terminal.type("echo it has lo''aded\r")
            terminal.wait_for("it has loaded")
            reads_keys(terminal)
        yield terminal


def reads_keys(terminal: AtTerminal) -> None:
    """Wait for the shell's own editor: zsh does not complete what was typed before."""
    wait_until(lambda: not terminal.echoes, "the shell reads keys")


@pytest.fixture
def config(home: Path) -> Path:
    folder = home / ".config" / "erlconnect"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG)
    return home


@pytest.mark.parametrize("shell", SHELLS)
def test_tab_in_a_shell(shell: str, config: Path) -> None:
    with prompt(shell, config) as terminal:
        for typed, whole in [
            ("erlconnect plug", "erlconnect plugins"),
            ("erlconnect -b fix", "erlconnect -b fixed"),
            ("erlconnect shell --cookie-from passt", "erlconnect shell --cookie-from passthrough"),
            ("erlconnect -p prod", "erlconnect -p production"),
            ("erlconnect staging/bil", "erlconnect staging/billing"),
            ("erlconnect -p staging bil", "erlconnect -p staging billing"),
            ("erlconnect profiles explain prod", "erlconnect profiles explain production"),
            ("erlconnect profiles show staging/b", "erlconnect profiles show staging/billing"),
        ]:
            # A shell draws what is new alone; as the words of echo the whole line comes back.
            terminal.type(f"{typed}\t\x01echo i''t: \r")
            terminal.wait_for(f"it: {whole}")
            reads_keys(terminal)
        assert not (config / "pwned").exists()


def offered(words: str, home: Path, **variables: str) -> list[str]:
    """What is offered for the last of ``words``, which may be empty."""
    done = subprocess.run(
        [COMMAND],
        env={
            **os.environ,
            **environment(home),
            **variables,
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
            "_ERLCONNECT_COMPLETE": "complete_bash",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=home,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_first_word_is_a_command_a_profile_or_an_option(config: Path) -> None:
    assert offered("erlconnect sta", config) == ["status", "staging/"]
    assert {"connect", "shell", "run", "status", "plugins"} <= set(offered("erlconnect ", config))
    assert "--backend" in offered("erlconnect --b", config)
    assert "--version" in offered("erlconnect --v", config)
    found = offered("erlconnect --", config)
    assert len(found) == len(set(found))


def test_backends_cookie_sources_and_transports_are_told_apart(home: Path) -> None:
    backends = offered("erlconnect connect -b ", home)
    sources = offered("erlconnect run --cookie-from ", home)
    transports = offered("erlconnect --transport ", home)
    assert {"fixed", "dns", "consul", "kubernetes", "railway"} == set(backends)
    assert {"env", "file", "command", "keyring", "consul-kv", "passthrough"} <= set(sources)
    assert {"direct", "command", "consul-connect"} <= set(transports)
    assert not set(sources) & {"direct", "dns", "consul-connect"}


def test_profiles_of_the_file_that_is_named(home: Path) -> None:
    other = home / "other.toml"
    other.write_text('[profiles.other]\nbackend = "dns"\n')
    assert offered(f"erlconnect --config {other} -p ", home) == ["other"]
    assert offered("erlconnect -p ", home, ERLCONNECT_CONFIG=str(other)) == ["other"]


def test_names_that_a_shell_would_run_are_not_offered(config: Path) -> None:
    assert offered("erlconnect -p ", config) == ["production", "staging"]


def test_a_file_that_is_wrong_offers_nothing_and_says_nothing(home: Path) -> None:
    broken = home / "broken.toml"
    broken.write_text("[profiles")
    assert offered("erlconnect -p ", home, ERLCONNECT_CONFIG=str(broken)) == []


def test_a_directory_that_does_not_answer_is_not_waited_for(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        assert offered(f"erlconnect -b consul -o address={address} sh", home) == []
        silent.settimeout(0)
        silent.accept()[0].close()
        # The library's own patience is several times as long.
        assert time.monotonic() - began < 8


def test_a_backend_that_is_not_installed_offers_no_targets(home: Path) -> None:
    assert offered("erlconnect -b nowhere sh", home) == []


@pytest.fixture
def agent() -> Iterator[ConsulAgent]:
    with ConsulAgent() as one:
        for name in ("shop", "shipping", "it's $(bad)"):
            one.register({"Name": name, "ID": name, "Address": "127.0.0.1", "Port": 1})
        yield one


def test_live_targets_of_a_backend_and_of_a_profile(agent: ConsulAgent, home: Path) -> None:
    address = f"address={agent.address}"
    assert offered(f"erlconnect -b consul -o {address} sh", home) == ["shipping", "shop"]
    assert offered(f"erlconnect shell -b consul -o {address} sho", home) == ["shop"]
    config = home / "with-consul.toml"
    config.write_text(
        '[profiles.mesh]\nbackend = "consul"\nconfirm = true\n'
        f'[profiles.mesh.consul]\naddress = "{agent.address}"\n'
    )
    assert offered(f"erlconnect --config {config} run mesh/sh", home) == [
        "mesh/shipping",
        "mesh/shop",
    ]
    assert offered(f"erlconnect --config {config} -p mesh s", home) == ["shipping", "shop"]
