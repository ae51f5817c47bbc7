"""Compare erlconnect with a direct connection and with socat, between real Erlang nodes.

python benchmarks/run.py                       everything, medians of seven repetitions
python benchmarks/run.py --quick               a smoke run
python benchmarks/run.py --only small 1mb-up   workloads whose names begin so
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from speed.figures import interleaved
from speed.floor import floor_ways, floors
from speed.memory import memory_figures
from speed.startup import startup_figures
from speed.tables import markdown_table, text_table
from speed.ways import all_ways, remote_node
from speed.workloads import all_workloads

if TYPE_CHECKING:
    from speed.figures import Figure, Samples
    from speed.ways import Remote

_NEEDED = ("erl", "erlc", "epmd", "socat")


class Run:
    """What was asked for, and what was found so far."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._only = tuple(asked.only)
        self._quick: bool = asked.quick
        self._repetitions: int = asked.repetitions or (2 if asked.quick else 7)
        self.tables: dict[str, list[Figure]] = {}
        self.samples: dict[str, Samples] = {}

    @property
    def programs(self) -> list[str]:
        """What has to be installed: Erlang, socat, and Knot DNS for the start-up by DNS."""
        return [*_NEEDED, "knotd"] if self._wants("startup") else [*_NEEDED]

    def everything(self) -> None:
        """Measure in the order of the tables."""
        with remote_node() as remote:
            self._between_nodes(remote)
            self._without_erlang()
            if self._wants("memory"):
                self._add("Memory", list(memory_figures(remote, quick=self._quick)))
            if self._wants("startup"):
                self._add("Start-up", startup_figures(remote, self._repetitions))

    def _between_nodes(self, remote: Remote) -> None:
        workloads = [workload for workload in all_workloads() if self._wants(workload.key)]
        if not workloads:
            return
        with all_ways(remote) as ways:
            figures = []
            for whole in workloads:
                workload = whole.quick() if self._quick else whole
                _progress(workload.key)
                samples = interleaved(workload.run, ways, self._repetitions)
                self.samples[workload.key] = samples
                figures += workload.figures(samples)
        self._add("Between two nodes (the ratio is to socat)", figures)

    def _without_erlang(self) -> None:
        wanted = [floor for floor in floors() if self._wants(floor.key)]
        if not wanted:
            return
        with floor_ways() as ways:
            figures = []
            for whole in wanted:
                floor = whole.quick() if self._quick else whole
                _progress(floor.key)
                samples = interleaved(floor.run, ways, self._repetitions)
                self.samples[floor.key] = samples
                figures += floor.figures(samples)
        self._add("Without Erlang (the ratio is to the raw relay)", figures)

    def _wants(self, key: str) -> bool:
        return not self._only or key.startswith(self._only)

    def _add(self, title: str, figures: list[Figure]) -> None:
        self.tables[title] = figures
        print(text_table(title, figures), flush=True)


def main() -> int:
    """Run what the command line asks for."""
    asked = _parse()
    run = Run(asked)
    missing = [program for program in run.programs if not shutil.which(program)]
    if missing:
        print(f"not on PATH: {', '.join(missing)}; nothing was measured", file=sys.stderr)
        return 1
    run.everything()
    if asked.markdown:
        tables = (markdown_table(title, figures) for title, figures in run.tables.items())
        asked.markdown.write_text("\n".join(tables))
    if asked.json:
        figures = {title: [asdict(one) for one in found] for title, found in run.tables.items()}
        asked.json.write_text(json.dumps({"figures": figures, "samples": run.samples}, indent=1))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    keys = [workload.key for workload in all_workloads()] + [floor.key for floor in floors()]
    names = ", ".join([*keys, "memory", "startup"])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"of {names}")
    parser.add_argument("--repetitions", type=int, metavar="N", help="default: 7; 2 with --quick")
    parser.add_argument("--quick", action="store_true", help="little work: does it run at all?")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the raw numbers there")
    return parser.parse_args()


def _progress(key: str) -> None:
    print(f"measuring {key}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
