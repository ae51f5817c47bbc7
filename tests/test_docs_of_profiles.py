"""What the pages on profiles show is what the installed command prints for the file in them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from command_line.running import erlconnect
from configuration.homes import Home
from pages import blocks, codes, page, rows, section

from erlconnect.configuration.profile_schema import PROFILE_ONLY, SERVICE_ONLY, SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from erlconnect.configuration.profile_schema import ProfileKey

GUIDE = page("guides/profiles.md")
EVENTS = page("reference/events.md")


class Documented(Home):
    """The home of the pages: ``/home/me`` there, a folder of the test here."""

    def printed(self, *words: str, folder: Path | None = None, **variables: str) -> str:
        shown = erlconnect(
            *words, home=self.folder, folder=folder or self.folder, environment=variables
        )
        return (shown.stdout + shown.stderr).replace(str(self.folder), "/home/me")


@pytest.fixture
def me(tmp_path: Path) -> Documented:
    home = Documented(tmp_path)
    [text] = [block for block in blocks(GUIDE, "toml") if "default-profile" in block]
    home.user(text)
    return home


def shown(first_words: str) -> str:
    """What a page shows below the command that begins with ``first_words``."""
    [block] = [one for one in blocks(GUIDE, "console") if first_words in one.splitlines()[0]]
    return block.partition("\n")[2]


def test_the_explanation(me: Documented) -> None:
    words = ("profiles", "explain", "production/shop")
    printed = me.printed(*words, ERLCONNECT_DNS_SERVER="10.3.9.9")
    assert printed == shown("erlconnect profiles explain production/shop")


def test_the_file_of_the_guide_is_right(me: Documented) -> None:
    printed = me.printed("profiles", "check")
    assert printed == "nothing is wrong with /home/me/.config/erlconnect/config.toml\n"


def test_the_mistake_that_is_found(me: Documented) -> None:
    me.user(me.user_file.read_text().replace("datacenter =", "datacentre ="))
    assert me.printed("profiles", "check") == shown("erlconnect profiles check")


def test_the_question_before_production(me: Documented) -> None:
    printed = me.printed("production/shop", "--no-input")
    assert "the profile production (/home/me/.config/erlconnect/config.toml, line 14)" in printed


def test_the_project_that_is_not_trusted(me: Documented) -> None:
    project = me.folder / "shop"
    project.mkdir()
    (project / "erlconnect.toml").write_text(
        '[profiles.ours]\nbackend = "fixed"\ncookie = { from = "prompt" }\n'
    )
    refused = me.printed("shop", folder=project).splitlines()[0]
    assert refused in GUIDE
    *decides, _, _ = me.printed("trust", folder=project).splitlines()
    assert "\n".join(decides) in GUIDE
    alone = refused.replace(" and 1 more", "")
    assert alone in page("troubleshooting.md")


def events(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("profile", ["profiles"]),
        ("profile-values", ["profiles", "show", "staging"]),
        ("profile-explained", ["profiles", "explain", "production/billing"]),
        ("problem", ["profiles", "check"]),
    ],
)
def test_the_events(me: Documented, name: str, words: list[str]) -> None:
    if name == "problem":
        me.user(me.user_file.read_text().replace('inherits  = "staging"', 'inherits = "stagin"'))
    text = section(EVENTS, f"`{name}`")
    example = json.loads(blocks(text, "json")[0])
    printed = events(me.printed(*words, "--json"))[0]
    if name == "profile-explained":
        printed["values"] = printed["values"][:1]
    assert printed == example
    explained = {code for row in rows(text) for code in codes(row[0])}
    assert explained == set(field_names(example)) - {"schema", "event"}


def field_names(fields: dict[str, Any], before: str = "") -> Iterator[str]:
    for key, value in fields.items():
        yield before + key
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from field_names(value[0], f"{before}{key}.")


def described(heading: str) -> list[tuple[str, str]]:
    table = rows(section(page("reference/profiles.md"), heading))
    return [(row[0], row[1]) for row in table]


def declared(keys: tuple[ProfileKey, ...]) -> list[tuple[str, str]]:
    return [(f"`{key.name}`", key.meaning) for key in keys]


def test_every_key_is_described_in_its_own_words() -> None:
    assert described("In a profile") == declared((*PROFILE_ONLY, *SHARED))
    assert described("In a service") == declared((SERVICE_ONLY,))
    top = [name for name, _ in described("Top level")]
    assert top == ["`default-profile`", "`profiles`", "`plugins`"]


def test_the_guide_names_the_profiles_that_its_file_has(me: Documented) -> None:
    listed = {event["name"] for event in events(me.printed("profiles", "--json"))}
    named = set(re.findall(r"erlconnect (?:-p )?(\w+)/\w+", GUIDE))
    assert named <= listed
