"""What is said of TLS among the settings of a transport."""

from __future__ import annotations

from pathlib import Path

import pytest

from erlconnect.configuration.problems import ConfigValue
from erlconnect.configuration.tls_settings import resolve_tls, split_tls
from erlconnect.errors import ConfigurationError, UnknownSettingError

FILE = Path("/home/me/.config/erlconnect/config.toml")


def written(value: object) -> ConfigValue:
    return ConfigValue(value=value, path=FILE, line=3, table="profiles.shop")


def test_without_any_it_is_plain() -> None:
    assert resolve_tls({"host": "gateway"}, {"family": written("4")}, {}) is None
    tls, own = split_tls({"host": "gateway", "tls-ca": "ca.pem"})
    assert (tls, own) == ({"tls-ca": "ca.pem"}, {"host": "gateway"})


def test_one_is_enough() -> None:
    settings = resolve_tls({"tls-server-name": "shop"}, {}, {})
    assert settings
    assert (settings.tls_server_name, settings.tls_ca) == ("shop", None)


def test_the_command_line_wins_over_a_variable_and_that_over_a_profile() -> None:
    profile = {key: written("profile.pem") for key in ("tls-ca", "tls-cert", "tls-key")}
    variables = {
        "ERLCONNECT_TRANSPORT_TLS_CA": "variable.pem",
        "ERLCONNECT_TRANSPORT_TLS_CERT": "variable.pem",
    }
    settings = resolve_tls({"tls-ca": "line.pem"}, profile, variables)
    assert settings
    assert settings.tls_ca == Path("line.pem")
    assert settings.tls_cert == Path("variable.pem")
    # A path in a file begins at the file.
    assert settings.tls_key == FILE.parent / "profile.pem"


def test_what_cannot_be_used_names_its_place() -> None:
    with pytest.raises(UnknownSettingError, match=r"-o transport\.tls-server-name"):
        resolve_tls({"tls-server-name": ""}, {}, {})
    with pytest.raises(ConfigurationError, match="ERLCONNECT_TRANSPORT_TLS_CERTIFICATE"):
        resolve_tls({}, {}, {"ERLCONNECT_TRANSPORT_TLS_CERTIFICATE": "a.pem"})
