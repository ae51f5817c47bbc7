"""Fuzz all targets, as many at a time as there are processors.

    all_targets.py [SECONDS [TARGET...]]

Each runs for SECONDS, 60 unless given. It begins with the kept corpus and with the inputs of
earlier runs on this machine that reached new code, which stay in ``.fuzz``. An input that breaks a
target is written to ``.fuzz/findings``, and makes the exit code 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from targets import CORPUS, TARGETS

ONE_TARGET: Final = Path(__file__).parent / "one_target.py"
KEPT: Final = Path(__file__).parent.parent / ".fuzz"
FINDINGS: Final = KEPT / "findings"
DEFAULT_SECONDS: Final = 60
_INPUT_SECONDS: Final = 20  # of one input; even on a busy machine each takes milliseconds
_END_SECONDS: Final = 120
_MAX_INPUT_BYTES: Final = 2048


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one target and say what came of it; return whether nothing was found."""
    own = KEPT / "corpus" / name
    own.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": seconds,
        "max_len": _MAX_INPUT_BYTES,
        "timeout": _INPUT_SECONDS,
        "artifact_prefix": f"{FINDINGS}/{name}-",
        "print_final_stats": 1,
    }
    command = [sys.executable, str(ONE_TARGET), name]
    command += [f"-{option}={value}" for option, value in options.items()]
    log = KEPT / f"{name}.log"
    begin = time.monotonic()
    with log.open("wb") as output:
        code = subprocess.run(
            [*command, str(own), str(CORPUS / name)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=seconds + _END_SECONDS,
            check=False,
        ).returncode
    report(name, code, log.read_text(errors="replace"), time.monotonic() - begin)
    return code == 0


def report(name: str, code: int, log: str, seconds: float) -> None:
    """Print one line for a target, and for one that failed the end of its output."""
    runs = next((line.split()[-1] for line in log.splitlines() if "executed_units" in line), "no")
    if code == 0:
        print(f"fuzz {name}: {runs} inputs in {seconds:.0f} s, nothing found", flush=True)
        return
    print("\n".join(log.splitlines()[-60:]))
    print(f"fuzz {name}: FAILED, exit code {code} after {seconds:.0f} s.", flush=True)
    print(f"The input is in {FINDINGS}. Mend the fault, and move the input to {CORPUS / name}.")


def main(words: list[str]) -> int:
    """Fuzz what the command line names."""
    seconds = int(words[0]) if words else DEFAULT_SECONDS
    names = words[1:] or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        print(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
        return 2
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda name: fuzz(name, seconds), names))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
