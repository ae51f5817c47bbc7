"""Listing targets: a table on a terminal, plain columns elsewhere, or JSON."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.output import plain, print_line, print_text, run_async
from erlconnect.command_line.resolve import resolve_config
from erlconnect.command_line.stdio import ignore_broken_pipe
from erlconnect.diagnostics.events import target_payload
from erlconnect.diagnostics.otp_releases import release_by_flags
from erlconnect.diagnostics.targets import probe_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.command_line.options import CliOptions
    from erlconnect.command_line.output import OutputOptions
    from erlconnect.diagnostics.targets import TargetProbe

_COLUMNS: Final = ("NODE", "ADDRESS", "PORT", "ANSWERS", "OTP", "FACTS")


def list_targets(target: str, flags: CliOptions, voice: OutputOptions) -> None:
    """Show what is found. Raises ``ErlconnectError`` where the lookup fails."""
    chosen = resolve_config([target], flags, environment=os.environ, warn=voice.warn, ask=False)
    voice.reporter.progress(f"looking for {chosen.choices[0].service}")
    try:
        sightings = run_async(
            probe_targets(chosen.choices[0], chosen.catalogue, os.environ, voice.warn)
        )
    finally:
        voice.silence()
    if voice.as_json:
        for sighting in sightings:
            print_line(target_payload(sighting))
    elif sys.stdout.isatty():
        _print_table([_row(sighting) for sighting in sightings])
    else:
        _print_columns([_row(sighting) for sighting in sightings])
    for sighting in sightings:
        if sighting.error and not voice.as_json:
            voice.warn(f"no answer: {sighting.error.message}")


def _row(sighting: TargetProbe) -> tuple[str, ...]:
    target, connected = sighting.target, sighting.connected
    node = connected.target.node if connected else target.node
    port = connected.port if connected else target.dist_port
    return (
        str(node) if node.name else f"?@{node.host}",
        target.address,
        str(port or "-"),
        "yes" if connected else f"no ({sighting.error.cause if sighting.error else ''})",
        (release_by_flags(connected.probe_result.flags) if connected else "") or "-",
        ", ".join(f"{name} {value}" for name, value in target.facts.items()) or "-",
    )


def _print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    lines = [_COLUMNS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    for line in lines:
        cells = [f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)]
        print_text("  ".join(cells).rstrip())


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = [Text(plain(cell, sys.stdout)) for cell in row]
        cells[_COLUMNS.index("ANSWERS")].style = "green" if row[3] == "yes" else "red"
        table.add_row(*cells)
    with ignore_broken_pipe(sys.stdout):
        Console(highlight=False).print(table)
