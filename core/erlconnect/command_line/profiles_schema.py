"""``erlconnect profiles schema``: what an editor has to know to complete configuration files."""

from __future__ import annotations

import json
from typing import Final

import typer

HELP: Final = """
Print the JSON schema of configuration files, with the settings of what is installed, for editors.

Examples:

  erlconnect profiles schema > ~/.config/erlconnect/config.schema.json
"""


def schema() -> None:
    """Print the JSON schema of configuration files, with the settings of what is installed."""
    from erlconnect.plugin_catalogue import Catalogue  # noqa: PLC0415 - --help is quick
    from erlconnect.plugin_catalogue.config_schema import config_schema  # noqa: PLC0415

    typer.echo(json.dumps(config_schema(Catalogue().inspect_all()), indent=2))
