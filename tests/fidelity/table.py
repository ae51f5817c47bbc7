"""The table of docs/explanation/fidelity.md, made from what a run of the tests says of itself.

``./run test tests/fidelity --junit-xml=FILE`` and then ``PYTHONPATH=tests python -m fidelity.table
FILE``. A pair of which any test failed or was skipped is not in the table but in the exit code.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from xml.etree import ElementTree as ET

from fidelity.pairs import PAIRS, REFUSING

_PAIR = re.compile(r"\[(\d\d)-(\d\d)\b")


def counted(file: str) -> tuple[Counter[tuple[str, str]], list[str]]:
    """How many tests of each pair passed, and the names of those that did not."""
    passed: Counter[tuple[str, str]] = Counter()
    others = []
    for case in ET.parse(file).iter("testcase"):
        name = case.get("name", "")
        if list(case.iter("failure")) or list(case.iter("error")) or list(case.iter("skipped")):
            others.append(name)
        elif match := _PAIR.search(name):
            passed[match[1], match[2]] += 1
    return passed, others


def markdown(passed: Counter[tuple[str, str]]) -> str:
    """The table: a row for each local release, a column for each remote one."""
    releases = sorted({release for pair in PAIRS for release in pair})
    lines = [
        "| local \\ remote | " + " | ".join(f"OTP {release}" for release in releases) + " |",
        "|---" * (len(releases) + 1) + "|",
    ]
    for local in releases:
        cells = [_cell(passed, local, remote) for remote in releases]
        lines.append(f"| **OTP {local}** | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(passed: Counter[tuple[str, str]], local: str, remote: str) -> str:
    number = passed[local, remote]
    if (local, remote) in REFUSING:
        return "refused, and told why" if number else "not run"
    return f"{number} proofs" if number else "not run"


def main() -> int:
    """Print the table; 1 if not every test passed."""
    passed, others = counted(sys.argv[1])
    print(markdown(passed))
    for name in others:
        print(f"not passed: {name}", file=sys.stderr)
    return min(len(others), 1)


if __name__ == "__main__":
    sys.exit(main())
