"""``erlconnect profiles schema``: what an editor has to know to complete configuration files."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON schema of configuration files, with the settings of what is installed.

    Examples:

      erlconnect profiles schema > erlconnect.schema.json
    """
    from erlconnect.plugin_catalogue import Catalogue  # noqa: PLC0415 - --help is quick
    from erlconnect.plugin_catalogue.config_schema import config_schema  # noqa: PLC0415

    typer.echo(json.dumps(config_schema(Catalogue().inspect_all()), indent=2))
