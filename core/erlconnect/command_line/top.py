"""``erlconnect top TARGET``: what a node is doing, in the terminal, in a browser, or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from erlconnect.command_line import options
from erlconnect.command_line.options import CliOptions, takes_cli_options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from erlconnect.client.sampling import NodeFacts, NodeSampler, ProcessRow, Sample
    from erlconnect.command_line.output import CommandOutput
    from erlconnect.distribution.etf import Pid

HELP = """
Show what the node that TARGET is does: memory, processes, tables, applications, ports.

What it asks of the node costs little and runs there at low priority. Nothing stays there.

Examples:

  erlconnect top prod/shop

  erlconnect top -b fixed app@10.3.2.1 --web

  erlconnect top -b consul shop --json --samples 1
"""
SORTS: Final = ("memory", "reductions", "queue")
_ROWS: Final = 20


@takes_cli_options(
    without=(
        "visible",
        "as_name",
        "local_cookie_file",
        "all_targets",
        "allow_stop",
        "inbound",
    )
)
def top(
    *,
    target: options.Target,
    cli: CliOptions,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="BY",
            help="How processes are sorted first: memory, reductions or queue.",
            rich_help_panel=options.SHOWN,
        ),
    ] = "memory",
    interval: Annotated[
        str,
        typer.Option(
            "--interval",
            metavar="TIME",
            help="The time from one sample to the next.",
            rich_help_panel=options.SHOWN,
        ),
    ] = "1s",
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            metavar="N",
            min=1,
            help="With --json, end after so many.",
            rich_help_panel=options.SHOWN,
        ),
    ] = None,
    web: Annotated[
        int | None,
        typer.Option(
            "--web",
            metavar="[PORT]",
            min=0,
            max=65535,
            help="Serve it to a browser on this machine, on a free port or on this one.",
            rich_help_panel=options.SHOWN,
        ),
    ] = None,
    json: options.Json = False,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
) -> None:
    """Read the choices, and show it where it is wanted."""
    from erlconnect.command_line.output import (  # noqa: PLC0415 - --help is quick
        CommandOutput,
        run_async,
    )
    from erlconnect.command_line.remote_calls import parse_time  # noqa: PLC0415

    seconds = parse_time(interval, "--interval") or 1.0
    _check(sort, samples=samples, json=json, web=web is not None)
    if web is not None:
        from erlconnect.command_line.top_web import serve  # noqa: PLC0415

        serve(web, sys.argv[1:])
        return
    output = CommandOutput(options.OutputOptions(as_json=json, quiet=quiet, verbose=verbose))

    async def lines(sampler: NodeSampler) -> None:
        await print_samples(sampler, sort=sort, seconds=seconds, count=samples)

    async def screen(sampler: NodeSampler) -> None:
        from erlconnect.command_line.top_app import TopApp  # noqa: PLC0415 - an extra

        app = TopApp(sampler, sort=sort, seconds=seconds)
        await app.run_async()
        if app.error:
            raise app.error

    if not json:
        need_extra()
    run_async(_with_sampler(target, cli, output, lines if json else screen))


def with_port(words: list[str]) -> list[str]:
    """Return the words of a command line with a port for a ``--web`` that stands without one.

    Typer has no option whose value may be left out; port 0 is a free one.
    """
    following = [*words[1:], ""]
    return [
        "--web=0" if word == "--web" and not after.isdigit() else word
        for word, after in zip(words, following, strict=True)
    ]


def need_extra() -> None:
    """Raise ``MissingExtraError`` where the libraries of ``top`` are not installed."""
    try:
        import textual  # noqa: F401, PLC0415
    except ImportError:
        from erlconnect.errors import MissingExtraError  # noqa: PLC0415

        raise MissingExtraError(
            "the screen of top needs the library textual, which is not installed",
            remedy="Install it: `pip install 'erlconnect[top]'`; --json needs nothing more.",
        ) from None


def _check(sort: str, *, samples: int | None, json: bool, web: bool) -> None:
    from erlconnect.errors import UsageError  # noqa: PLC0415 - --help is quick

    if sort not in SORTS:
        raise UsageError(f"--sort {sort} is unknown", remedy=f"Possible are: {', '.join(SORTS)}.")
    if samples is not None and not json:
        raise UsageError("--samples is for --json alone", remedy="Add --json, or leave it out.")
    if json and web:
        raise UsageError("--json and --web exclude each other", remedy="Leave one of them out.")


async def _with_sampler(
    target: str,
    cli: CliOptions,
    output: CommandOutput,
    work: Callable[[NodeSampler], Awaitable[None]],
) -> None:
    from erlconnect.client.sampling import NodeSampler  # noqa: PLC0415 - --help is quick
    from erlconnect.command_line.remote_calls import connected, looking_for  # noqa: PLC0415

    async with looking_for(target, cli, output) as looking:
        approached = await looking.context.discovery.connect_first()
        output.stop_progress()
        async with connected(looking, approached) as connection:
            await work(NodeSampler(connection))


async def print_samples(
    sampler: NodeSampler, *, sort: str, seconds: float, count: int | None
) -> None:
    """Print a sample a line, ``count`` of them or for ever."""
    import asyncio  # noqa: PLC0415 - --help is quick

    from erlconnect.command_line.output import print_line  # noqa: PLC0415

    facts = await sampler.facts()
    number = 0
    while True:
        sample = await sampler.sample()
        rows = await sampler.busiest(sort, _ROWS)
        print_line(sample_payload(facts, sample, rows, sampler.shown))
        number += 1
        if number == count:
            return
        await asyncio.sleep(seconds)


def sample_payload(
    facts: NodeFacts, sample: Sample, rows: Sequence[ProcessRow], shown: Callable[[Pid], str]
) -> dict[str, Any]:
    """Return the object of a sample; rates are null in the first one. ``shown`` prints a pid."""
    return {
        "schema": 1,
        "event": "sample",
        "node": facts.node,
        "otp": facts.otp,
        "release": facts.release,
        "uptime": sample.uptime,
        "schedulers": facts.schedulers,
        "cpu": _rounded(sample.cpu, 4),
        "run_queue": sample.run_queue,
        "reductions_per_second": _rounded(sample.reductions_per_second, 0),
        "bytes_in_per_second": _rounded(sample.bytes_in_per_second, 0),
        "bytes_out_per_second": _rounded(sample.bytes_out_per_second, 0),
        "memory": sample.memory,
        "counts": sample.counts,
        "limits": facts.limits,
        "looked_at": sample.looked_at,
        "cost_seconds": sample.cost_seconds,
        "busiest": [
            {
                "pid": shown(row.pid),
                "name": row.name,
                "current": row.current,
                "memory": row.memory,
                "reductions_per_second": round(row.rate),
                "queue": row.queue,
            }
            for row in rows
        ],
    }


def _rounded(number: float | None, digits: Literal[0, 4]) -> float | None:
    return None if number is None else round(number, digits)
