"""The differential test for as many operations as asked, or one of its seeds once more.

``PYTHONPATH=tests python -m fidelity.differential --operations 1000000``
``PYTHONPATH=tests python -m fidelity.differential --pair 23 25 --seed 1234 --operations 10000``
"""

from __future__ import annotations

import argparse
import secrets
import sys

from fidelity.differing import load_program, run_both
from fidelity.pairs import paired

_BATCH = 10_000


def compare(local: str, remote: str, *, seed: int, operations: int) -> int:
    """Run batches of consecutive seeds; return the operations that were equal until one was not."""
    done = 0
    with paired(local, remote) as pair, pair.direct() as direct:
        load_program(pair.world.remote, pair.world.local, direct)
        while done < operations:
            batch = min(_BATCH, operations - done)
            report = run_both(pair, direct, seed=seed, operations=batch)
            if differences := report.differences():
                print(f"seed {seed}, {batch} operations:", *differences, sep="\n  ", flush=True)
                return done
            done += batch
            print(f"{local} to {remote}: {done} operations, equal; seed {seed}", flush=True)
            # A program takes the seeds of its workers from behind its own.
            seed += 10
    return done


def main() -> int:
    """Compare what was asked for; 1 if anything differed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pair", nargs=2, default=["25", "25"], metavar=("LOCAL", "REMOTE"))
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 30))
    parser.add_argument("--operations", type=int, default=_BATCH)
    asked = parser.parse_args()
    local, remote = asked.pair
    done = compare(local, remote, seed=asked.seed, operations=asked.operations)
    print(f"{done} of {asked.operations} operations were equal", flush=True)
    return 0 if done == asked.operations else 1


if __name__ == "__main__":
    sys.exit(main())
