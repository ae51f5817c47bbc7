"""What varies from run to run, taken out of what a command said."""

from __future__ import annotations

import getpass
import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_COUNTED: Final = re.compile(
    r"bytes|names|rewritten|frames|messages|pid|since|creation|port$|_ms$|seconds$"
)
_PATTERNS: Final = (
    (r"(?<=-)[0-9a-f]{6,12}(?=@)", "HEX"),
    (r"\b(rpc|rem|chk)-[0-9a-f]{3,}\b", r"\1-HEX"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?", "TIME"),
    (r"\b\d\d:\d\d:\d\d\b", "TIME"),
    (r" *\b\d+(\.\d+)? ?(ms|s|min|h)\b", " DURATION"),
    (r"\bpid \d+", "pid PID"),
    (r" *\b\d+(\.\d+)? ?(B|kB|KiB|MiB|kB/s|B/s|bytes)(?![\w])", " SIZE"),
    (r"\b[1-6]\d{4}\b", "PORT"),
    (r"SIZE out, \d+ in\b|\b\d+ out, SIZE in\b|\b\d+ out, \d+ in\b", "SIZE out, SIZE in"),
    (r"SIZE +\d+$", "SIZE NUMBER"),
    (r"/tmp/\w+", "/TEMPORARY"),
)


class Settled:
    """Replaces ``known`` texts of this run, and then whatever looks like a time or a number."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = {**known, f"-{getpass.getuser()}-": "-me-"}

    def text(self, said: str) -> str:
        """Return what a person is shown; the padding of tables counts as two spaces."""
        return re.sub(r" {2,}|\t", "  ", self._inner(said)) if said else ""

    def output(self, said: str) -> str:
        """Return what came on a stream: objects of JSON one field a line, else text."""
        return "".join(self._line(line) + "\n" for line in said.splitlines())

    def _line(self, line: str) -> str:
        if not line.startswith(("{", "[")):
            return self.text(line).rstrip()
        try:
            value = json.loads(line)
        except ValueError:
            return self.text(line).rstrip()
        return json.dumps(self._value("", value), indent=1, ensure_ascii=False)

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._inner(name): self._value(name, inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._value(key, inner) for inner in value]
        if isinstance(value, str):
            return self._inner(value)
        if key.endswith("_per_second"):
            return "NUMBER"
        if isinstance(value, float) or (type(value) is int and value and _COUNTED.search(key)):
            return self._known.get(str(value), "NUMBER")
        return value

    def _inner(self, said: str) -> str:
        for known, name in self._known.items():
            said = said.replace(known, name)
        for pattern, name in _PATTERNS:
            said = re.sub(pattern, name, said)
        return said
