"""64 MB through ssh, up and down: ``python -m benchmarks.tunnel.throughput``.

The two ways take turns, so that a slow minute of the machine slows both. Prints a table of medians;
exits with 1 where erlconnect is slower than 0.9 times a plain ``ssh -L``. One call takes a fraction
of a second, so that five of them tell little on a busy machine: ``--repetitions 25`` tells more.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.tunnel.ways import PLAIN, VIA, plain_ssh, via_ssh
from speed.figures import Figure, Wanted, interleaved, medians, paired_ratio
from speed.tables import markdown_table
from speed.ways import remote_node
from world.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.tunnel.ways import Way

MEGABYTES = 64
WANTED = Wanted(sign="≥", bound=0.9)
_CALLS = {
    "up": "Data = rand:bytes({bytes}), Run = fun() -> "
    "{bytes} = erpc:call('{remote}', erlang, byte_size, [Data]) end",
    "down": "Run = fun() -> "
    "{bytes} = byte_size(erpc:call('{remote}', binary, copy, [<<7>>, {bytes}])) end",
}


def _seconds(way: Way, direction: str) -> Mapping[str, float]:
    call = _CALLS[direction].format(bytes=MEGABYTES << 20, remote=way.remote)
    spent = way.local.evaluate(f"{call}, element(1, timer:tc(Run)).", 120)
    return {"seconds": int(spent) / 1e6}


def _figure(ways: Mapping[str, Way], direction: str, repetitions: int) -> Figure:
    for way in ways.values():
        _seconds(way, direction)
    samples = interleaved(lambda way: _seconds(way, direction), ways, repetitions)
    return Figure(
        feature="47",
        workload=f"{MEGABYTES} MB {direction}",
        unit="s",
        values=medians(samples, "seconds"),
        value=paired_ratio(samples, "seconds", PLAIN, VIA),
        wanted=WANTED,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="default: 5")
    repetitions = parser.parse_args().repetitions
    if missing := [program for program in ("ssh", "sshd", "erl") if not shutil.which(program)]:
        print(f"not on PATH: {', '.join(missing)}; nothing was measured", file=sys.stderr)
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sshd = stack.enter_context(SshServer(folder))
        remote = stack.enter_context(remote_node())
        ways = {
            PLAIN: stack.enter_context(plain_ssh(remote, sshd)),
            VIA: stack.enter_context(via_ssh(remote, sshd)),
        }
        figures = [_figure(ways, direction, repetitions) for direction in ("up", "down")]
    title = f"Through ssh (medians of {repetitions}; the ratio is to {PLAIN})"
    print(markdown_table(title, figures))
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
