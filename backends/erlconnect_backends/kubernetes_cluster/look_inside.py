"""What a look into a container finds of its nodes: their flags, variables and cookie files.

Has the one script that is run there, and reads what it prints. Refuses to run it (``exec_call``).
The script changes nothing. It needs ``sh`` and ``cat``, and finds more with ``tr`` and ``sed``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_PROCESS: Final = "none"
"""The number of what belongs to no process."""

_SCRIPT: Final = r"""
say() { printf '\n%s %s\n' "$mark" "$*"; }
show() { [ -r "$1$2" ] && [ -s "$1$2" ] && { say file "$2"; cat "$1$2"; }; }
of() { tr '\0' '\n' <"$d/environ" 2>/dev/null | sed -n "s/^$1=//p"; }
mark=$1
for d in /proc/[0-9]*; do
  read -r name 2>/dev/null <"$d/comm" || continue
  case $name in beam*) ;; *) continue ;; esac
  say process "${d#/proc/}"
  say flags; cat "$d/cmdline"
  say variables; cat "$d/environ"
  # Another container's process has files of its own, where those may be seen.
  r=$d/root; [ -r "$r/" ] || r=
  show "$r" "$(of RELEASE_ROOT)/releases/COOKIE" || show "" "$d/cwd/releases/COOKIE"
  show "$r" "$(of HOME)/.erlang.cookie"
done
say process none
for f in "${RELEASE_ROOT:-.}" . /app /opt/*; do show "" "$f/releases/COOKIE" && break; done
show "" "$HOME/.erlang.cookie"
exit 0
"""


@dataclass(slots=True, kw_only=True)
class Seen:
    """What belongs to one running Erlang; ``number`` is its process id, ``none`` without one."""

    number: str
    flags: list[str] = field(default_factory=list, repr=False)
    variables: dict[str, str] = field(default_factory=dict, repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)


class LookInside:
    """One look; ``words`` are what has to be run for it."""

    def __init__(self) -> None:
        # Each finding begins with it: no file and no variable can hold it.
        self._mark = secrets.token_hex(16)

    @property
    def words(self) -> Sequence[str]:
        """The command."""
        return ("sh", "-c", _SCRIPT.strip(), "look", self._mark)

    def read(self, output: bytes) -> list[Seen]:
        """Give what was seen, in the order of the processes; last what belongs to none."""
        seen: list[Seen] = []
        for kind, detail, content in self._findings(output):
            if kind == "process":
                seen.append(Seen(number=detail))
            elif kind == "flags":
                seen[-1].flags = _words(content)
            elif kind == "variables":
                seen[-1].variables = dict(_assignments(content))
            elif kind == "file":
                seen[-1].files[detail] = content
        return seen

    def _findings(self, output: bytes) -> Iterator[tuple[str, str, bytes]]:
        for finding in output.split(f"\n{self._mark} ".encode())[1:]:
            line, _, content = finding.partition(b"\n")
            kind, _, detail = line.decode(errors="surrogateescape").partition(" ")
            yield kind, detail, content


def _words(content: bytes) -> list[str]:
    return content.decode(errors="surrogateescape").removesuffix("\0").split("\0")


def _assignments(content: bytes) -> Iterator[tuple[str, str]]:
    for word in _words(content):
        name, _, value = word.partition("=")
        yield name, value
