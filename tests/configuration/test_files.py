from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from erlconnect.configuration.files import Configuration, read_configuration
from erlconnect.configuration.paths import user_file
from erlconnect.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_PREFER_RED = '[plugins]\nprefer = { twin = "red" }\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(home: Path, named: Path | None = None, **environment: str) -> Configuration:
    return read_configuration(named, environment={"HOME": str(home), **environment})


def refusal(home: Path, text: str | bytes) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        read(home, write(home / "c.toml", text))
    return caught.value


def test_without_any_file_nothing_is_preferred(home: Path) -> None:
    assert read(home) == Configuration()


def test_the_users_own_file_is_found_below_the_configuration_folder(home: Path) -> None:
    write(home / ".config/erlconnect/config.toml", _PREFER_RED)
    assert read(home).prefer == {"twin": "red"}
    assert read(home, XDG_CONFIG_HOME=str(home / "xdg")).prefer == {}
    write(home / "xdg/erlconnect/config.toml", '[plugins.prefer]\ntwin = "blue"\n')
    assert read(home, XDG_CONFIG_HOME=str(home / "xdg")).prefer == {"twin": "blue"}


def test_a_relative_configuration_folder_is_ignored_as_xdg_says(home: Path) -> None:
    place = user_file({"HOME": str(home), "XDG_CONFIG_HOME": "relative"})
    assert place == home / ".config/erlconnect/config.toml"


def test_a_file_that_was_named_is_the_only_one_that_is_read(home: Path) -> None:
    write(home / ".config/erlconnect/config.toml", _PREFER_RED)
    blue = write(home / "blue.toml", '[plugins]\nprefer = { twin = "blue" }\n')
    empty = write(home / "empty.toml", "")
    assert read(home, ERLCONNECT_CONFIG=str(blue)).prefer == {"twin": "blue"}
    assert read(home, empty, ERLCONNECT_CONFIG=str(blue)).prefer == {}


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_file_that_was_named_has_to_be_there(home: Path, by_variable: bool) -> None:
    missing = home / "missing.toml"
    environment = {"ERLCONNECT_CONFIG": str(missing)} if by_variable else {}
    with pytest.raises(
        ConfigurationError,
        match=r"missing\.toml: this configuration file cannot be read: there is no such",
    ):
        read(home, None if by_variable else missing, **environment)


def test_a_file_that_is_no_toml_names_the_line(home: Path) -> None:
    assert "line 3" in refusal(home, "[plugins]\nprefer = {}\nwhat is this\n").message


def test_what_editors_of_windows_write_is_read_and_lines_are_counted(home: Path) -> None:
    read(home, write(home / "c.toml", b"\xef\xbb\xbf[plugins]\r\nprefer = {}\r\n"))
    assert "c.toml, line 2: " in refusal(home, b"\xef\xbb\xbf[plugins]\r\nprefers = {}\r\n").message


def test_brackets_without_end_are_a_mistake_and_no_crash(home: Path) -> None:
    assert "nested too deeply" in refusal(home, b"a = " + b"[" * 100_000).message


def test_a_file_that_is_no_text_says_so(home: Path) -> None:
    assert "it is not UTF-8 after 4 bytes" in refusal(home, b"a = \xff\xfe").message


def test_a_folder_is_no_configuration_file(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(home, home)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_says_so(home: Path) -> None:
    path = write(home / "c.toml", _PREFER_RED)
    path.chmod(0)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        read(home, path)


def test_an_endless_file_is_refused(home: Path) -> None:
    assert "longer than" in refusal(home, b"#" * (1024 * 1024 + 1)).message


@pytest.mark.parametrize(
    ("text", "line", "key", "meant"),
    [
        ("\n# plugin\n[plugin]\n", 3, "plugin", "plugins"),
        ('plugin = "x"\n', 1, "plugin", "plugins"),
        ("[plugins]\n\nprefers = {}\n", 3, "prefers", "prefer"),
        ("[plugins.prefers]\n", 1, "prefers", "prefer"),
    ],
)
def test_an_unknown_key_names_its_line_and_gets_a_suggestion(
    home: Path, text: str, line: int, key: str, meant: str
) -> None:
    known = "default-profile, profiles, plugins" if meant == "plugins" else meant
    error = refusal(home, text)
    assert error.message.endswith(f"c.toml, line {line}: {key!r} is not a known key")
    assert error.remedy == f"Did you mean {meant!r}? Known here: {known}."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plugins = 1\n", "line 1: 'plugins' must be a table"),
        ("[plugins]\nprefer = []\n", "line 2: 'prefer' must be a table"),
        ("[plugins.prefer]\ntwin = 1\n", "line 2: 'twin' must be the name of a distribution"),
    ],
)
def test_a_value_of_the_wrong_type_names_its_line(home: Path, text: str, message: str) -> None:
    assert message in refusal(home, text).message
