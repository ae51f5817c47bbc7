"""The settings of the distribution over TLS, which stand beside those of any transport.

They are the session's and no plugin's: ``transport.tls-ca`` holds for every transport. The files
that they name are read by ``session/tls.py``.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from erlconnect.configuration.settings import SettingsGroup, resolve_settings, setting_fields
from erlconnect.contract import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect.configuration.problems import ConfigValue


class TlsSettings(Settings):
    """One of them is enough to have TLS spoken; without any it is plain."""

    tls_ca: Path | None = Field(
        default=None,
        description="The certificates that vouch for the node, a PEM file; without it those that"
        " this machine trusts.",
    )
    tls_cert: Path | None = Field(
        default=None,
        description="The certificate to show to the node, a PEM file, with what leads to its CA.",
    )
    tls_key: Path | None = Field(
        default=None,
        description="The private key of tls-cert, a PEM file; without it, it is in tls-cert.",
    )
    tls_server_name: str | None = Field(
        default=None,
        min_length=1,
        description="The name that the node's certificate must have; without it the host part of"
        " the node's name.",
    )


TLS: Final = SettingsGroup(name="transport", settings=TlsSettings)
TLS_KEYS: Final = frozenset(setting_fields(TlsSettings))


def resolve_tls(
    options: Mapping[str, str],
    written: Mapping[str, ConfigValue],
    environment: Mapping[str, str],
) -> TlsSettings | None:
    """Return the settings of TLS among those of a transport; ``None`` where there are none.

    Raises as ``resolve_settings``.
    """
    of_line, _ = split_tls(options)
    of_profile, _ = split_tls(written)
    settings: Any = resolve_settings(
        TLS,
        options=of_line,
        inherited={},
        environment=environment,
        written=of_profile,
        option_prefix="transport.",
    )
    # Every field has a default, so only the fields that were set show whether TLS is wanted.
    return settings if settings.model_fields_set else None


def split_tls(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of TLS, and the transport's own."""
    tls = {key: value for key, value in settings.items() if key in TLS_KEYS}
    return tls, {key: value for key, value in settings.items() if key not in TLS_KEYS}
