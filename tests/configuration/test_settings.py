"""Where the value of a setting comes from, and how a mistake in it is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import Field, SecretStr, field_validator, model_validator

from erlconnect.api import Offer, Settings
from erlconnect.configuration.problems import ConfigValue
from erlconnect.configuration.settings import (
    argument_option,
    resolve_settings,
    setting_fields,
    written_problems,
)
from erlconnect.errors import (
    ConfigurationError,
    ErlconnectError,
    ExitCode,
    UnknownSettingError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class LanternSettings(Settings):
    argument = "token_file"

    token_file: Path = Field(default=Path("none"), description="Where the token is.")
    record: Literal["auto", "srv", "a"] = Field(default="auto", description="What to ask for.")
    tcp: bool = Field(default=False, description="Whether to ask over TCP.")
    tries: int = Field(default=3, description="How often to ask.", le=9)
    names: tuple[str, ...] = Field(
        default=("a", "b"), description="Names of variables, best first."
    )
    password: SecretStr | None = Field(default=None, description="Not for eyes.")
    colour: str = Field(default="red", description="Neither blue nor clashing.")

    @field_validator("password")
    @classmethod
    def long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < 8:
            raise ValueError(f"{value.get_secret_value()} is too short")
        return value

    @model_validator(mode="after")
    def together(self) -> LanternSettings:
        if self.colour == "blue" and self.tcp:
            raise ValueError("blue does not go with tcp")
        return self


class NeedySettings(Settings):
    key: str = Field(description="Which key.")


def offer(settings: type[Settings] = LanternSettings, name: str = "sea-lantern") -> Offer:
    return Offer(name=name, summary="Shines.", settings=settings, create=settings)


def written(value: object, path: Path = Path("/etc/c.toml")) -> ConfigValue:
    return ConfigValue(value=value, path=path, line=7, table="profiles.x.sea-lantern")


def resolve(
    options: Mapping[str, str] | None = None,
    *,
    inherited: Mapping[str, object] | None = None,
    profile: Mapping[str, ConfigValue] | None = None,
    foreign: tuple[str, ...] = (),
    **environment: str,
) -> LanternSettings:
    settings = resolve_settings(
        offer(),
        options=options or {},
        inherited=inherited or {},
        written=profile or {},
        environment=environment,
        foreign=foreign,
        option_prefix="transport.",
    )
    assert isinstance(settings, LanternSettings)
    return settings


def refusal(error: type[ErlconnectError], **arguments: object) -> ErlconnectError:
    with pytest.raises(error) as caught:
        resolve(**arguments)  # type: ignore[arg-type]
    assert type(caught.value) is error
    return caught.value


def test_each_place_wins_over_the_next() -> None:
    files: dict[str, Any] = {
        "inherited": {"colour": "inherited"},
        "profile": {"colour": written("profile")},
    }
    everywhere = {**files, "ERLCONNECT_SEA_LANTERN_COLOUR": "variable"}
    assert resolve().colour == "red"
    assert resolve(inherited={"colour": "inherited"}).colour == "inherited"
    assert resolve(**files).colour == "profile"
    assert resolve(**everywhere).colour == "variable"
    assert resolve({"colour": "option"}, **everywhere).colour == "option"


def test_a_key_is_written_with_dashes_and_a_variable_with_underscores() -> None:
    assert resolve({"token-file": "/t"}).token_file == Path("/t")
    assert resolve(ERLCONNECT_SEA_LANTERN_TOKEN_FILE="/t").token_file == Path("/t")
    assert resolve(inherited={"token_file": Path("/t")}).token_file == Path("/t")
    assert resolve(inherited={"token-file": Path("/t")}).token_file == Path("/t")


def test_text_is_read_as_the_type_of_its_field() -> None:
    settings = resolve({"tcp": "true", "tries": "5", "names": "A_COOKIE, B_COOKIE"})
    assert (settings.tcp, settings.tries, settings.names) == (True, 5, ("A_COOKIE", "B_COOKIE"))
    assert resolve(ERLCONNECT_SEA_LANTERN_NAMES="ONE").names == ("ONE",)


def test_the_validators_of_a_plugin_run_once() -> None:
    calls: list[str] = []

    class CountingSettings(Settings):
        command: str

        @field_validator("command")
        @classmethod
        def _run(cls, command: str) -> str:
            calls.append(command)
            return command

    resolve_settings(
        offer(CountingSettings), options={"command": "pass show"}, inherited={}, environment={}
    )
    assert calls == ["pass show"]


def test_an_empty_variable_counts_as_unset() -> None:
    assert resolve(ERLCONNECT_SEA_LANTERN_COLOUR="").colour == "red"


def test_an_unknown_option_gets_a_suggestion_and_the_list() -> None:
    error = refusal(UnknownSettingError, options={"token_file": "secret?"})
    assert error.message == "-o transport.token_file: 'sea-lantern' has no such setting"
    assert error.remedy == (
        "Did you mean 'token-file'? The settings of 'sea-lantern': "
        "token-file, record, tcp, tries, names, password, colour."
    )
    assert error.exit_code is ExitCode.USAGE


def test_an_option_in_capitals_is_told_the_keys_and_no_variables() -> None:
    error = refusal(UnknownSettingError, options={"COLOUR": "blue"})
    assert "token-file, record" in error.remedy


def test_a_bad_option_names_the_key_the_value_and_what_is_allowed() -> None:
    error = refusal(UnknownSettingError, options={"record": "txt"})
    assert error.message == (
        "-o transport.record=txt cannot be used: Input should be 'auto', 'srv' or 'a'"
    )
    assert error.remedy == "Correct it. It means: What to ask for."


def test_an_unknown_variable_is_named() -> None:
    error = refusal(ConfigurationError, ERLCONNECT_SEA_LANTERN_COLUR="x")
    assert error.message == (
        "The variable ERLCONNECT_SEA_LANTERN_COLUR: 'sea-lantern' has no such setting"
    )
    assert error.remedy.startswith("Did you mean 'ERLCONNECT_SEA_LANTERN_COLOUR'? ")


def test_a_variable_of_another_offer_is_none_of_ours() -> None:
    foreign = ("ERLCONNECT_SEA_LANTERN_KV_",)
    resolve(foreign=foreign, ERLCONNECT_SEA_LANTERN_KV_KEY="x", ERLCONNECT_SEA_COLOUR="y")


def test_a_bad_variable_is_named() -> None:
    error = refusal(ConfigurationError, ERLCONNECT_SEA_LANTERN_TRIES="10")
    assert error.message == (
        "The variable ERLCONNECT_SEA_LANTERN_TRIES=10 cannot be used: "
        "Input should be less than or equal to 9"
    )


def test_what_is_inherited_is_blamed_as_inherited() -> None:
    unknown = refusal(ConfigurationError, inherited={"wick": "x"})
    assert unknown.message.startswith("The setting 'wick' that 'sea-lantern' got with the target")
    bad = refusal(ConfigurationError, inherited={"tries": "many"})
    assert bad.message.startswith("The setting 'tries' that 'sea-lantern' got with the target")


def test_what_a_profile_gets_wrong_has_its_line() -> None:
    unknown = refusal(ConfigurationError, profile={"tokenfile": written("x")})
    assert unknown.message == "/etc/c.toml, line 7: tokenfile: 'sea-lantern' has no such setting"
    assert unknown.remedy.startswith("Did you mean 'token-file'? ")
    bad = refusal(ConfigurationError, profile={"record": written("txt")})
    assert bad.message == (
        "/etc/c.toml, line 7: record=\"txt\" cannot be used: Input should be 'auto', 'srv' or 'a'"
    )


@pytest.mark.parametrize("key", ["epmd-port", "dist-port", "node", "look-again"])
def test_a_setting_of_the_session_is_sent_to_where_it_belongs(key: str) -> None:
    what = f"{key!r} is a setting of the session, not of 'sea-lantern'"
    in_file = refusal(ConfigurationError, profile={key: written(1)})
    assert in_file.message == f"/etc/c.toml, line 7: {key}: {what}"
    assert in_file.remedy == (
        "Write it into the profile's own table, above the table of 'sea-lantern'."
    )
    option = refusal(UnknownSettingError, options={key: "1"})
    assert option.message == f"-o transport.{key}: {what}"
    assert option.remedy == f"Write -o {key}=1."
    name = key.upper().replace("-", "_")
    variable = refusal(ConfigurationError, **{f"ERLCONNECT_SEA_LANTERN_{name}": "1"})
    assert variable.message == f"The variable ERLCONNECT_SEA_LANTERN_{name}: {what}"
    assert variable.remedy == f"Its variable is ERLCONNECT_SESSION_{name}."


@pytest.mark.parametrize("key", ["confirm", "as", "cookie", "caller-name"])
def test_a_key_of_the_profile_is_sent_to_where_it_belongs(key: str) -> None:
    error = refusal(ConfigurationError, profile={key: written("x")})
    assert error.message.endswith(f"{key!r} is a key of the profile, not of 'sea-lantern'")
    assert "the profile's own table" in error.remedy


def test_a_profile_has_the_types_of_toml() -> None:
    given = {"tcp": True, "tries": 5, "names": ["ONE", "T,WO"]}
    settings = resolve(profile={key: written(value) for key, value in given.items()})
    assert (settings.tcp, settings.tries, settings.names) == (True, 5, ("ONE", "T,WO"))
    refusal(ConfigurationError, profile={"names": written("ONE")})


@pytest.mark.parametrize(
    ("text", "path"),
    [("a/t", "/etc/a/t"), ("../t", "/etc/../t"), ("/t", "/t"), ("~/t", "~/t"), ("~", "~")],
)
def test_a_path_in_a_profile_begins_at_the_folder_of_its_file(text: str, path: str) -> None:
    settings = resolve(profile={"token-file": written(text)})
    assert settings.token_file == Path(path).expanduser()


def test_all_that_a_profile_gets_wrong_is_found_and_what_is_missing_is_not_wrong() -> None:
    given = {"wick": written(1), "tries": written(10), "password": written("hunter2")}
    found = list(written_problems(offer(), given))
    assert [one.message for one in found] == [
        "wick: 'sea-lantern' has no such setting",
        "tries=10 cannot be used: Input should be less than or equal to 9",
        "password cannot be used",
    ]
    assert "hunter2" not in repr(found)
    assert list(written_problems(offer(NeedySettings), {})) == []


def test_settings_of_a_profile_that_do_not_fit_together_are_a_problem_of_its_file() -> None:
    given = {"colour": written("blue"), "tcp": written(True)}
    refusal(ConfigurationError, profile=given)
    [found] = written_problems(offer(), given)
    assert found.message == (
        "the settings of 'sea-lantern' do not fit together: Value error, blue does not go with tcp"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"options": {"password": "hunter2"}},
        {"ERLCONNECT_SEA_LANTERN_PASSWORD": "hunter2"},
        {"inherited": {"password": "hunter2"}},
    ],
)
def test_a_bad_secret_is_not_shown(arguments: dict[str, object]) -> None:
    error = refusal(
        UnknownSettingError if "options" in arguments else ConfigurationError, **arguments
    )
    assert "hunter2" not in error.message + error.remedy + repr(error.__cause__)
    assert error.__context__ is None
    assert "password" in error.message.lower()


def test_settings_that_do_not_fit_together_are_blamed_on_the_command_line_where_it_took_part() -> (
    None
):
    error = refusal(UnknownSettingError, options={"tcp": "yes"}, inherited={"colour": "blue"})
    assert error.message.endswith("Value error, blue does not go with tcp")
    assert "-o transport.tcp" in error.remedy
    refusal(ConfigurationError, inherited={"colour": "blue", "tcp": True})


def test_a_setting_that_is_missing_says_how_to_give_it() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_settings(
            offer(NeedySettings, "consul-kv"),
            options={},
            inherited={},
            environment={},
            option_prefix="cookie.",
        )
    assert caught.value.message == "'consul-kv' needs the setting 'key'"
    assert caught.value.remedy == "Give -o cookie.key=VALUE or set ERLCONNECT_CONSUL_KV_KEY."


def test_the_argument_after_the_colon_is_short_for_an_option() -> None:
    assert argument_option(offer(), "/t") == {"token-file": "/t"}
    with pytest.raises(UsageError, match="'plain' takes no argument"):
        argument_option(offer(Settings, "plain"), "x")


def test_settings_have_a_json_schema_with_the_keys_that_people_type() -> None:
    schema = LanternSettings.model_json_schema()
    assert list(schema["properties"]) == list(setting_fields(LanternSettings))
    assert schema["properties"]["token-file"]["description"] == "Where the token is."
    assert schema["additionalProperties"] is False
    json.dumps(schema)
