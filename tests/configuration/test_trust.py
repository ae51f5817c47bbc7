"""What a project's file may do before anybody has looked at it: an allow-list, power by power."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from configuration.homes import write

from erlconnect.configuration.files import Document, read_document
from erlconnect.configuration.paths import ConfigPath, Scope
from erlconnect.configuration.trust import decisions, forget, is_trusted, trust
from erlconnect.errors import ConfigurationError, ExitCode, UntrustedFileError

if TYPE_CHECKING:
    from configuration.homes import Home

_USERS = """
[profiles.staging]
backend = "consul"
[profiles.production]
backend = "dns"
confirm = true
"""


def document(here: Home) -> Document:
    read = read_document(ConfigPath(path=here.project_file, scope=Scope.PROJECT))
    assert read
    return read


@pytest.mark.parametrize(
    "text",
    [
        "",
        'default-profile = "staging"',
        '[profiles.mine]\ninherits = "staging"',
        '[profiles.mine]\ninherits = "production"\nconfirm = true',
        "[profiles.staging]\nconfirm = true",
        "[profiles.staging]",
        "[profiles.staging.services.shop]",
        "[profiles.staging.services.shop]\nconfirm = true",
        '[profiles.mine]\ninherits = "staging"\n[profiles.mine.services]\n"a" = {}\n"b@c" = {}',
    ],
)
def test_it_chooses_among_the_users_profiles_and_names_services(here: Home, text: str) -> None:
    here.user(_USERS)
    here.project(text)
    assert here.read().documents
    assert decisions(document(here), ["staging", "production"]) == []


@pytest.mark.parametrize(
    ("power", "key"),
    [
        ("[profiles.x]\nbackend = 'fixed'", "profiles.x.backend"),
        ("[profiles.x]\ncookie = { from = 'command', command = 'id' }", "profiles.x.cookie.from"),
        ("[profiles.x]\ncookie = { from = 'file', path = '/h' }", "profiles.x.cookie.from"),
        ("[profiles.x]\ncookie = { command = 'id' }", "profiles.x.cookie.command"),
        ("[profiles.x]\ncookie = {}", "profiles.x.cookie"),
        ("[profiles.x]\ntransport = 'command'", "profiles.x.transport"),
        ("[profiles.x]\ntransport = { command = 'id' }", "profiles.x.transport.command"),
        ("[profiles.x]\ntransport = { host = '10.0.0.1' }", "profiles.x.transport.host"),
        ("[profiles.x.fixed]\naddress = '10.0.0.1'", "profiles.x.fixed.address"),
        ("[profiles.x.consul]\naddress = 'evil:8500'", "profiles.x.consul.address"),
        ("[profiles.x.consul]\ntoken-file = '/etc/x'", "profiles.x.consul.token-file"),
        ("[profiles.x.dns]\nserver = '10.0.0.1'", "profiles.x.dns.server"),
        ("[profiles.x.kubernetes]\nkubeconfig = 'k'", "profiles.x.kubernetes.kubeconfig"),
        ("[profiles.x.kubernetes]\ncontext = 'c'", "profiles.x.kubernetes.context"),
        ("[profiles.x.kubernetes]\nnamespace = 'n'", "profiles.x.kubernetes.namespace"),
        ("[profiles.x.railway]\nendpoint = 'https://e'", "profiles.x.railway.endpoint"),
        ("[profiles.x.not-made-yet]\nsetting = 1", "profiles.x.not-made-yet.setting"),
        ("[profiles.x]\nepmd-port = 1", "profiles.x.epmd-port"),
        ("[profiles.x]\ndist-port = 1", "profiles.x.dist-port"),
        ("[profiles.x]\nmax-frame = 1048576", "profiles.x.max-frame"),
        ("[profiles.x]\nnode = 'a@b'", "profiles.x.node"),
        ("[profiles.x]\nas = 'rabbit'", "profiles.x.as"),
        ("[profiles.x]\ncaller-name = 'root'", "profiles.x.caller-name"),
        ("[profiles.x]\nlocal-cookie-file = '/c'", "profiles.x.local-cookie-file"),
        ("[profiles.x]\nconfirm = false", "profiles.x.confirm"),
        ("[profiles.staging]\nallow-stop = true", "profiles.staging.allow-stop"),
        ('[profiles.staging]\ninbound = "full"', "profiles.staging.inbound"),
        (
            '[profiles.x.services.s]\ninbound = "full"',
            "profiles.x.services.s.inbound",
        ),
        ("[profiles.production]\nconfirm = false", "profiles.production.confirm"),
        ("[profiles.production]\ninherits = 'staging'", "profiles.production.inherits"),
        ("[profiles.x.services.s]\ntarget = 'a@evil'", "profiles.x.services.s.target"),
        ("[profiles.x.services.s]\nbackend = 'dns'", "profiles.x.services.s.backend"),
        ("[profiles.x.services.s]\nconfirm = false", "profiles.x.services.s.confirm"),
        ("[profiles.x.services.s.consul]\ntag = 't'", "profiles.x.services.s.consul.tag"),
        (
            "[profiles.staging.services.s]\ncookie.from = 'prompt'",
            "profiles.staging.services.s.cookie.from",
        ),
        ("[plugins]\nprefer = { nomad = 'evil' }", "plugins.prefer.nomad"),
        ("[plugins]\nprefer = {}", "plugins.prefer"),
    ],
)
def test_it_has_no_other_power(here: Home, power: str, key: str) -> None:
    here.user(_USERS)
    here.project(power)
    found = [".".join(one.keys) for one in decisions(document(here), ["staging", "production"])]
    assert found[:1] == [key]
    with pytest.raises(UntrustedFileError) as caught:
        here.read()
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert f"this project file is not trusted, and decides {key}" in caught.value.message
    assert f"{here.project_file}, line " in caught.value.message
    assert "`erlconnect trust`" in caught.value.remedy


def test_one_power_among_harmless_things_is_enough(here: Home) -> None:
    here.user(_USERS)
    here.project('default-profile = "staging"\n[profiles.staging]\nnode = "a@b"\nas = "c"\n')
    with pytest.raises(UntrustedFileError, match=r"line 3: .* profiles\.staging\.node and 1 more"):
        here.read()


def test_the_users_own_file_and_one_that_is_named_need_no_trust(here: Home) -> None:
    here.user("[profiles.x]\ncookie = { from = 'command', command = 'id' }")
    here.read()
    here.project("[profiles.x]\ncookie = { from = 'command', command = 'id' }")
    here.read(here.project_file)
    here.read(ERLCONNECT_CONFIG=str(here.project_file))


def test_trust_ends_with_a_change_of_a_single_byte(here: Home) -> None:
    here.project("[profiles.x]\nnode = 'a@b'\n")
    trust(document(here), here.environment)
    here.read()
    here.project("[profiles.x]\nnode = 'a@b' \n")
    with pytest.raises(UntrustedFileError, match="this project file has changed since it was"):
        here.read()
    trust(document(here), here.environment)
    here.read()
    here.project("[profiles.x]\nnode = 'a@b'\n")
    assert not is_trusted(document(here), here.environment)


def test_trust_is_for_one_place(here: Home) -> None:
    """A relative path in it, or a command, may mean something else elsewhere."""
    here.project("[profiles.x]\nnode = 'a@b'\n")
    trust(document(here), here.environment)
    write(here.work / "erlconnect.toml", here.project_file.read_text())
    with pytest.raises(UntrustedFileError, match="is not trusted"):
        here.read()


def test_a_link_to_a_trusted_file_is_trusted(here: Home) -> None:
    here.project("[profiles.x]\nnode = 'a@b'\n")
    trust(document(here), here.environment)
    (here.work / "erlconnect.toml").symlink_to(here.project_file)
    here.read()


def test_trust_is_forgotten(here: Home) -> None:
    here.project("[profiles.x]\nnode = 'a@b'\n")
    assert not forget(here.project_file, here.environment)
    trust(document(here), here.environment)
    assert forget(here.project_file, here.environment)
    with pytest.raises(UntrustedFileError, match="is not trusted"):
        here.read()


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"sha256": 1}', "\x00"])
def test_a_record_that_is_damaged_is_none(here: Home, record: str) -> None:
    here.project("[profiles.x]\nnode = 'a@b'\n")
    trust(document(here), here.environment)
    [file] = (here.folder / ".local/state/erlconnect/trusted").iterdir()
    file.write_text(record)
    assert not is_trusted(document(here), here.environment)


def test_the_records_are_the_users_alone(here: Home) -> None:
    here.project("[profiles.x]\nnode = 'a@b'\n")
    trust(document(here), here.environment)
    folder = here.folder / ".local/state/erlconnect/trusted"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.suffix for path in folder.iterdir()] == [".json"]


def test_a_place_that_cannot_be_written_is_named(here: Home) -> None:
    here.project("[profiles.x]\nnode = 'a@b'\n")
    write(here.folder / "state", "a file where a folder should be")
    environment = {**here.environment, "XDG_STATE_HOME": str(here.folder / "state")}
    with pytest.raises(ConfigurationError, match=f"remembered in {here.folder}{os.sep}state"):
        trust(document(here), environment)
