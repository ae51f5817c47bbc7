"""``--help`` of each command: examples to copy, and every option in a group."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from erlconnect.command_line.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*before, name), command
        if hasattr(command, "commands"):
            yield from all_commands(command, (*before, name))


COMMANDS = list(all_commands(get_command(app)))


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(one[0]) for one in COMMANDS])
def test_the_help_of_a_command(words: tuple[str, ...], command: Any) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Examples:" in shown.stdout
    examples = re.findall(r"^ +erlconnect (.*)$", command.help, re.MULTILINE)
    assert examples
    assert all(is_understood(shlex.split(example)) for example in examples)
    ungrouped = [
        one.opts
        for one in command.params
        if one.param_type_name == "option" and not one.rich_help_panel
    ]
    assert ungrouped == []


def is_understood(words: list[str]) -> bool:
    """Whether the words up to a ``|`` or ``>`` lead to a command that takes them."""
    ends = [number for number, word in enumerate(words) if word in ("|", ">")]
    words = words[: min(ends, default=len(words))]
    group: Any = get_command(app)
    with group.make_context("erlconnect", words) as context:
        words = [*context._protected_args, *context.args]
        while hasattr(group, "commands") and words:
            name, group, words = group.resolve_command(context, words)
            group.make_context(name, words, parent=context)
    return True
