"""Figures as a table for a terminal and for Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from speed.figures import Figure


def text_table(title: str, figures: Sequence[Figure]) -> str:
    """Columns as wide as their widest cell."""
    rows = list(_rows(figures))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([title, "", lines[0], "-" * len(lines[0]), *lines[1:], ""])


def markdown_table(title: str, figures: Sequence[Figure]) -> str:
    """A heading and a table."""
    head, *rows = (f"| {' | '.join(row)} |" for row in _rows(figures))
    rule = "|---" * (head.count("|") - 1) + "|"
    return "\n".join([f"## {title}", "", head, rule, *rows, ""])


def _rows(figures: Sequence[Figure]) -> Iterator[list[str]]:
    ways = list(dict.fromkeys(way for figure in figures for way in figure.values))
    yield ["row", "workload", "unit", *ways, "ratio", "wanted", "reached"]
    for figure in figures:
        values = [_number(figure.values.get(way)) for way in ways]
        yield [figure.feature, figure.workload, figure.unit, *values, *_judged(figure)]


def _judged(figure: Figure) -> list[str]:
    ratio = f"{figure.value:.2f}" if figure.is_ratio else ""
    if figure.wanted is None:
        return [ratio, "", ""]
    wanted = f"{figure.wanted.sign} {figure.wanted.bound:g}"
    return [ratio, wanted, "yes" if figure.reached else "no"]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"
