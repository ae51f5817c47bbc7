"""How large the rooms of the source tree are, and how many doors one goes through.

python tools/house.py              sizes of files and functions, imports, comments
python tools/house.py --journeys   what one has to open to follow one thing; needs erl, epmd, knotd
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import TYPE_CHECKING, Final

from source_tree import SourceTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LONG_FUNCTION: Final = 35


def spread(numbers: Sequence[int]) -> str:
    """Return median, ninetieth percentile and maximum."""
    ordered = sorted(numbers)
    ninetieth = ordered[int(0.9 * (len(ordered) - 1))]
    return f"{statistics.median(ordered):.0f} / {ninetieth} / {ordered[-1]}"


def rows(tree: SourceTree) -> Iterator[tuple[str, str]]:
    """Yield the lines of the table: what is measured, and what it is."""
    modules = tree.modules.values()
    functions = [one for module in modules for one in module.functions]
    lines = sum(module.lines for module in modules)
    thousands = lines / 1000
    yield "files", str(len(modules))
    yield "lines", str(lines)
    yield "modules per 1,000 lines", f"{len(modules) / thousands:.1f}"
    yield "lines of a file, median / p90 / max", spread([module.lines for module in modules])
    yield "share of import lines", f"{sum(one.import_lines for one in modules) / lines:.1%}"
    yield "internal import edges per 1,000 lines", f"{len(tree.edges) / thousands:.1f}"
    yield "modules with exactly one run-time importer", str(len(tree.only_importers))
    yield "comments, share of lines", f"{sum(one.comment_lines for one in modules) / lines:.1%}"
    yield "functions", str(len(functions))
    yield "lines of a function, median / p90 / max", spread([one.length for one in functions])
    long = [one for one in functions if one.length > _LONG_FUNCTION]
    yield f"functions over {_LONG_FUNCTION} lines", str(len(long))
    for one in sorted(long, key=lambda one: -one.length):
        yield f"- `{one.name}`", str(one.length)


def main() -> int:
    """Print the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--journeys", action="store_true", help="run the journeys, too")
    parser.add_argument("--files", action="store_true", help="name the files of each journey")
    asked = parser.parse_args()
    print("| | |\n|---|---|")
    for title, value in rows(SourceTree()):
        print(f"| {title} | {value} |")
    if asked.journeys:
        _print_journeys(with_files=asked.files)
    return 0


def _print_journeys(*, with_files: bool) -> None:
    from journeys import all_journeys  # noqa: PLC0415 - it starts to need Erlang and the project

    print("\n| journey | files | changes of file |\n|---|---|---|")
    found = all_journeys()
    for one in found:
        print(f"| {one.title} | {len(one.files)} | {one.changes} |")
    for one in found if with_files else []:
        print(f"\n{one.title}:", *one.files, sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
