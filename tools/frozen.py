"""Write down all that users see, so that two states of the project can be compared.

python tools/frozen.py FOLDER    then: diff -r -x times.txt FOLDER OTHER_FOLDER

Two runs of one state give the same files, but for times.txt. Needs erl, epmd, knotd and consul.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frozen_sessions import COMMAND, freeze_sessions
from frozen_times import start_up_times
from source_tree import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

_WHERE: Final = re.compile(
    r"\b(erlconnect(_\w+)?|pathlib|collections|typing)\.[a-z_.]*(?=[A-Za-z_])"
)
_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")


def main() -> int:
    """Fill the folder of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a new folder, or one to be written anew")
    out: Path = parser.parse_args().folder
    out.mkdir(parents=True, exist_ok=True)
    (out / "entry_points.txt").write_text(_lines(entry_points()))
    for name in ("api", "testing", "hookspecs"):
        (out / f"{name}.txt").write_text(_lines(public_names(f"erlconnect.{name}")))
    (out / "errors.txt").write_text(_lines(error_classes()))
    (out / "erlconnect.1").write_text(man_page())
    (out / "help").mkdir(exist_ok=True)
    for words, text in helps():
        (out / "help" / f"{'-'.join(['erlconnect', *words])}.txt").write_text(text)
    freeze_sessions(out / "sessions")
    (out / "times.txt").write_text(_lines(start_up_times()))
    return 0


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def entry_points() -> Iterator[str]:
    """Yield groups and names; a plugin's modules may move, what they are called may not."""
    for point in sorted(
        distribution("erlconnect").entry_points, key=lambda one: (one.group, one.name)
    ):
        yield f"{point.group}: {point.name}"


def public_names(module: str) -> Iterator[str]:
    """Yield each public name of a module, with signature, fields and methods."""
    loaded = importlib.import_module(module)
    names = getattr(loaded, "__all__", None) or _own_names(loaded)
    for name in sorted(names):
        yield from _described(name, getattr(loaded, name))


def _own_names(module: Any) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]


def _described(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__)
        yield f"class {name}({bases}){_signature(value)}"
        fields = {**inspect.get_annotations(value)}
        for field, kind in sorted(fields.items()):
            if not field.startswith("_"):
                yield f"    {field}: {_plain(str(kind))}"
        for member, inner in sorted(vars(value).items()):
            is_slot = inspect.ismemberdescriptor(inner)
            if not (member.startswith("_") or member in fields or is_slot):
                yield f"    {_member(member, inner)}"
    elif callable(value):
        yield f"{name}{_signature(value)}"
    else:
        yield f"{name} = {_plain(repr(value))}"


def _member(name: str, value: Any) -> str:
    if isinstance(value, property):
        return f"{name} (property)"
    inner = getattr(value, "__func__", value)
    return f"{name}{_signature(inner)}" if callable(inner) else f"{name} = {_plain(repr(value))}"


def _signature(value: Any) -> str:
    try:
        return _plain(str(inspect.signature(value)))
    except (TypeError, ValueError):
        return ""


def _plain(text: str) -> str:
    """Return ``text`` without where things are kept, which is nobody's business."""
    return _ADDRESS.sub("", _WHERE.sub("", text))


def error_classes() -> Iterator[str]:
    """Yield the exit codes, and each error's cause, exit code and base."""
    errors = importlib.import_module("erlconnect.errors")
    for point in distribution("erlconnect").entry_points:
        point.load()
    yield from (f"{code.name} {int(code)}" for code in errors.ExitCode)
    found = set(_below(errors.ErlconnectError))
    for one in sorted(found, key=lambda one: (one.cause, one.__name__)):
        bases = ", ".join(base.__name__ for base in one.__bases__)
        yield f"{one.cause}: exit code {int(one.exit_code)}, {one.__name__}({bases})"


def _below(kind: Any) -> Iterator[Any]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _below(inner)


def man_page() -> str:
    """Return the manual page of a wheel that is built for this."""
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(build, cwd=PROJECT, check=True, capture_output=True, timeout=100)
        [wheel] = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [name] = [one for one in archive.namelist() if one.endswith("man1/erlconnect.1")]
            return archive.read(name).decode()


def helps() -> Iterator[tuple[list[str], str]]:
    """Yield the words and the help of each command, found in the help of the one above it."""
    waiting: list[list[str]] = [[]]
    while waiting:
        words = waiting.pop(0)
        text = _said(*words, "--help")
        yield words, text
        listed = text.partition("─ Commands ─")[2]
        waiting += [
            [*words, name] for name in re.findall(r"^│ ([a-z][\w-]*) ", listed, re.MULTILINE)
        ]


def _said(*words: str) -> str:
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    done = subprocess.run(
        [COMMAND, *words], env=environment, check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
