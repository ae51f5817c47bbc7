"""What says that the distribution is spoken over TLS: settings beside those of any transport.

Files are read by whoever makes a context of them.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads annotations at run time
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from erlconnect.configuration.settings import resolve_settings, setting_fields
from erlconnect.contract import Offer, Settings

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


TLS: Final = Offer(
    name="transport",
    summary="The distribution over TLS, whatever the transport",
    settings=TlsSettings,
    create=lambda settings: settings,
)
TLS_KEYS: Final = frozenset(setting_fields(TlsSettings))


def resolve_tls(
    options: Mapping[str, str],
    written: Mapping[str, ConfigValue],
    environment: Mapping[str, str],
) -> TlsSettings | None:
    """Return what is said of TLS among a transport's settings; ``None`` where nothing is."""
    settings: Any = resolve_settings(
        TLS,
        options=only_tls(options),
        inherited={},
        environment=environment,
        written=only_tls(written),
        option_prefix="transport.",
    )
    return settings if settings.model_fields_set else None


def only_tls(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that say something of TLS."""
    return {key: value for key, value in settings.items() if key in TLS_KEYS}


def without_tls(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are the transport's own."""
    return {key: value for key, value in settings.items() if key not in TLS_KEYS}
