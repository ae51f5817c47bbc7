"""The pages for plugin authors say what is so: every hook, every quotation, every example."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy
import pytest

from erlconnect import errors, hookspecs, testing
from erlconnect.errors import ErlconnectError
from erlconnect.hookspecs import LinkEvent
from erlconnect.testing import check_offer

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROJECT = Path(__file__).parents[2]
_PAGES = _PROJECT / "docs" / "plugins"
_EXAMPLE = _PROJECT / "examples" / "third_party_backend"
_HOOKS = [name for name in vars(hookspecs) if name.startswith("erlconnect_")]


def page(name: str) -> str:
    return (_PAGES / name).read_text()


def section(text: str, heading: str) -> str:
    """The text below ``## heading``, up to the next one."""
    assert f"\n## {heading}\n" in text, f"there is no heading {heading!r}"
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def blocks(text: str, fence: str) -> list[str]:
    return re.findall(rf"^ *```{fence}\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)


def heading_of(hook: str) -> str:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    return f"{hook}({arguments})"


def registered(hook: str) -> pluggy.PluginManager:
    """The example below the heading of ``hook``, registered as a plugin."""
    [code] = blocks(section(page("hooks.md"), heading_of(hook)), "python")
    module = ModuleType(f"example_of_{hook}")
    exec(compile(code, "hooks.md", "exec", dont_inherit=True), vars(module))
    manager = pluggy.PluginManager("erlconnect")
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    return manager


def test_every_hook_has_a_heading_and_every_heading_a_hook() -> None:
    headings = re.findall(r"^## (.*)$", page("hooks.md"), re.MULTILINE)
    assert headings == [heading_of(hook) for hook in _HOOKS]


@pytest.mark.parametrize("hook", [hook for hook in _HOOKS if not hook.endswith("_event")])
def test_the_example_of_a_hook_gives_an_offer_that_keeps_the_contract(hook: str) -> None:
    [[offer]] = getattr(registered(hook).hook, hook)()
    check_offer(offer)


def test_the_example_of_an_observer_observes(capsys: pytest.CaptureFixture[str]) -> None:
    event = LinkEvent(
        kind="link-down",
        alias="shop@127.0.0.1",
        node="shop@10.0.0.1",
        local_node="dev@127.0.0.1",
        caller_name="dev-me-01234567@erlconnect.invalid",
        reason="closed by the remote node",
    )
    registered("erlconnect_link_event").hook.erlconnect_link_event(event=event)
    said = capsys.readouterr().err
    assert said == "link-down dev@127.0.0.1 shop@10.0.0.1 closed by the remote node\n"


def test_every_field_of_a_link_event_is_described() -> None:
    described = section(page("hooks.md"), "erlconnect_link_event(event)")
    for field in LinkEvent.__dataclass_fields__:
        assert f"`{field}`" in described


def test_every_check_of_the_kit_has_a_heading() -> None:
    headings = re.findall(r"^## (check_\w+)\((.*)\)$", page("testing.md"), re.MULTILINE)
    checks = sorted(name for name in testing.__all__ if name.startswith("check_"))
    assert sorted(name for name, _ in headings) == checks
    for name, arguments in headings:
        named = [argument.partition("=")[0] for argument in arguments.split(", ")]
        assert named == list(inspect.signature(getattr(testing, name)).parameters)


def quotations() -> Iterator[tuple[str, str]]:
    text = page("writing-a-backend.md")
    for kind, name in set(re.findall(r'```(\w+) title="(.*?)"', text)):
        for block in blocks(text, f'{kind} title="{re.escape(name)}"'):
            yield name, block


@pytest.mark.parametrize(("name", "quoted"), sorted(quotations()))
def test_what_the_tutorial_quotes_is_in_the_example(name: str, quoted: str) -> None:
    source = (_EXAMPLE / name).read_text()
    assert quoted in source, textwrap.indent(quoted, "> ")


def test_the_tutorial_names_errors_with_their_exit_codes() -> None:
    rows = re.findall(
        r"^\| `(\w+Error)` \|.*\| (\d+) \|$", page("writing-a-backend.md"), re.MULTILINE
    )
    assert len(rows) == 6
    for name, code in rows:
        error = getattr(errors, name)
        assert issubclass(error, ErlconnectError)
        assert error.exit_code == int(code)
