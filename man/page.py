"""The manual page, generated from the declarations of the commands: the text of ``--help`` in roff.

No command or option is named here; they are read from typer's objects. ``hook`` puts the page into
the wheel. The macros are those of man(7).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from erlconnect.command_line.app import app
from erlconnect.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYNOPSIS = """
.SH SYNOPSIS
.B erlconnect
[\\fBconnect\\fR] [\\fIOPTION\\fR]... \\fITARGET\\fR...
.br
.B erlconnect
\\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...
"""
_SEE_ALSO = """
.SH SEE ALSO
.BR erl (1),
.BR iex (1),
.BR epmd (1)
"""


def man_page(version: str) -> str:
    """Return the whole page for this version of erlconnect."""
    command: Any = get_command(app)
    lines = [
        f'.TH ERLCONNECT 1 "" "erlconnect {version}" "User Commands"',
        ".SH NAME",
        "erlconnect \\- connect local Erlang and Elixir tools to a remote node",
        _SYNOPSIS.strip(),
        ".SH DESCRIPTION",
        *_prose(command.help),
        *_options(command),
        ".SH COMMANDS",
        *_commands(command, "erlconnect"),
        ".SH EXIT STATUS",
        *(line for code in ExitCode for line in _item(f"\\fB{int(code)}\\fR", _words(code.name))),
        _SEE_ALSO.strip(),
    ]
    return "\n".join(lines) + "\n"


def _commands(group: Any, before: str) -> Iterator[str]:
    for name, command in group.commands.items():
        arguments = "".join(
            f" \\fI{_escaped(one.metavar or one.name)}\\fR"
            for one in command.params
            if one.param_type_name == "argument"
        )
        yield f".SS {before} {_escaped(name)}{arguments}"
        yield from _prose(command.help or "")
        yield from _options(command)
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before} {_escaped(name)}")


def _options(command: Any) -> Iterator[str]:
    for option in command.params:
        if option.param_type_name == "option" and not option.hidden:
            names = ", ".join(f"\\fB{_escaped(one)}\\fR" for one in _names(option))
            value = "" if option.is_flag else f" \\fI{_escaped(option.metavar or 'VALUE')}\\fR"
            yield from _item(names + value, option.help or "")


def _names(option: Any) -> list[str]:
    """Return the names of an option, short ones first, as in other manual pages."""
    return sorted([*option.opts, *option.secondary_opts], key=lambda name: name.startswith("--"))


def _item(head: str, text: str) -> list[str]:
    return [".TP", head, _text(text)]


def _prose(text: str) -> Iterator[str]:
    """Yield paragraphs; indented ones are examples, and keep their line."""
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if paragraph.startswith("  "):
            yield from (".PP", ".RS 4", ".EX", _escaped(paragraph.strip()), ".EE", ".RE")
        else:
            yield from (".PP", _text(paragraph))


def _text(text: str) -> str:
    words = _escaped(" ".join(text.split()))
    return re.sub(r"`([^`]+)`", r"\\fB\1\\fR", words)


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _escaped(text: str) -> str:
    # roff shows an unescaped hyphen as a typographic one, which nobody can paste into a shell.
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    # At the beginning of a line these two characters would start a macro.
    return re.sub(r"^([.'])", r"\\&\1", escaped, flags=re.MULTILINE)
