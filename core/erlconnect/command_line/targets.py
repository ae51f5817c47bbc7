"""``erlconnect targets``: a table on a terminal, plain columns elsewhere, or JSON."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from erlconnect.command_line.output import CommandOutput, plain, print_line, print_text, run_async
from erlconnect.command_line.resolve import resolve_config
from erlconnect.command_line.stdio import ignore_broken_pipe
from erlconnect.diagnostics.events import target_payload
from erlconnect.diagnostics.otp_releases import release_by_flags
from erlconnect.diagnostics.targets import probe_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.command_line.options import CliOptions, OutputOptions
    from erlconnect.diagnostics.targets import TargetProbe

_COLUMNS: Final = ("NODE", "ADDRESS", "PORT", "ANSWERS", "OTP", "FACTS")


def list_targets(target: str, cli: CliOptions, options: OutputOptions) -> None:
    """Print the targets that are discovered. Raises ``ErlconnectError`` where discovery fails."""
    output = CommandOutput(options)
    resolved = resolve_config([target], cli, environment=os.environ, warn=output.warn, ask=False)
    output.reporter.progress(f"looking for {resolved.configs[0].service}")
    try:
        probes = run_async(
            probe_targets(resolved.configs[0], resolved.catalogue, os.environ, output.warn)
        )
    finally:
        output.stop_progress()
    if output.as_json:
        for probe in probes:
            print_line(target_payload(probe))
    elif sys.stdout.isatty():
        _print_table([_row(probe) for probe in probes])
    else:
        # Tables of rich are folded and padded for a terminal, so programs get plain columns.
        _print_columns([_row(probe) for probe in probes])
    for probe in probes:
        if probe.error and not output.as_json:
            output.warn(f"no answer: {probe.error.message}")


def _row(probe: TargetProbe) -> tuple[str, ...]:
    target, connected = probe.target, probe.connected
    node = connected.target.node if connected else target.node
    port = connected.port if connected else target.dist_port
    return (
        # A backend may know the host only; the name is in the handshake, which needs an answer.
        str(node) if node.name else f"?@{node.host}",
        target.address,
        str(port or "-"),
        "yes" if connected else f"no ({probe.error.cause if probe.error else ''})",
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
