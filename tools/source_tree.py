"""The project's sources as data: modules, what they import, their functions and comments.

Reads files and imports none of them, so that it serves any state of the tree.
"""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT: Final = Path(__file__).resolve().parent.parent
ROOTS: Final = ("core", "backends", "plugins")


@dataclass(frozen=True)
class Import:
    """One imported name: a module, or something in it."""

    name: str
    line: int
    end_line: int
    for_types: bool
    """It stands under ``if TYPE_CHECKING``, and so never runs."""


@dataclass(frozen=True)
class Function:
    """A function or method, with its length from ``def`` to its last line."""

    name: str
    length: int


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def is_main(self) -> bool:
        return self.path.name == "__main__.py"

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def lines(self) -> int:
        return len(self.source.splitlines())

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, self.name, is_package=self.is_package))

    @cached_property
    def import_lines(self) -> int:
        """How many lines belong to import statements."""
        return len({n for one in self.imports for n in range(one.line, one.end_line + 1)})

    @cached_property
    def functions(self) -> list[Function]:
        return list(_functions(self.tree, self.name))

    @cached_property
    def comment_lines(self) -> int:
        """How many lines hold a comment; docstrings are none, nor are directives of tools."""
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        return len({t.start[0] for t in tokens if _is_comment(t)})


class SourceTree:
    """All modules below ``core``, ``backends`` and ``plugins`` of a project."""

    def __init__(self, project: Path = PROJECT) -> None:
        self.project = project
        self.modules: Final = {one.name: one for one in _modules(project)}

    @cached_property
    def edges(self) -> set[tuple[str, str]]:
        """Pairs of importer and imported module, of types alone, too."""
        return set(self._edges(run_time_only=False))

    @cached_property
    def run_time_edges(self) -> set[tuple[str, str]]:
        """Pairs of importer and imported module that a run may follow."""
        return set(self._edges(run_time_only=True))

    @cached_property
    def only_importers(self) -> dict[str, str]:
        """Modules that exactly one other module imports at run time, and which one."""
        importers: dict[str, set[str]] = {}
        for importer, imported in self.run_time_edges:
            importers.setdefault(imported, set()).add(importer)
        return {
            name: next(iter(found)) for name, found in sorted(importers.items()) if len(found) == 1
        }

    def _edges(self, *, run_time_only: bool) -> Iterator[tuple[str, str]]:
        for module in self.modules.values():
            for one in module.imports:
                target = self._module_of(one.name)
                if target and target != module.name and not (run_time_only and one.for_types):
                    yield module.name, target

    def _module_of(self, name: str) -> str | None:
        """Return the module that ``name`` is or stands in, ``None`` for another project's."""
        if name in self.modules:
            return name
        above = name.rpartition(".")[0]
        return above if above in self.modules else None


def _modules(project: Path) -> Iterator[Module]:
    for root in ROOTS:
        for path in sorted((project / root).rglob("*.py")):
            parts = path.relative_to(project / root).with_suffix("").parts
            yield Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path)


def _imports(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[Import]:
    package = module if is_package else module.rpartition(".")[0]

    def below(node: ast.AST, *, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                for name in _imported(child, package):
                    yield Import(name, child.lineno, child.end_lineno or child.lineno, for_types)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for inner in child.body:
                    yield from below(ast.Module([inner], []), for_types=True)
                for inner in child.orelse:
                    yield from below(ast.Module([inner], []), for_types=for_types)
            else:
                yield from below(child, for_types=for_types)

    yield from below(tree, for_types=False)


def _imported(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    source = ".".join([*above, *([node.module] if node.module else [])])
    return [f"{source}.{one.name}" for one in node.names]


def _functions(node: ast.AST, scope: str) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{scope}.{child.name}"
            yield Function(name, (child.end_lineno or child.lineno) - child.lineno + 1)
            yield from _functions(child, name)
        else:
            inner = f"{scope}.{child.name}" if isinstance(child, ast.ClassDef) else scope
            yield from _functions(child, inner)


def _is_comment(token: tokenize.TokenInfo) -> bool:
    directives = ("# noqa", "# type:", "# pragma", "#!")
    return token.type == tokenize.COMMENT and not token.string.startswith(directives)
