"""Sessions with the configuration file that the page about profiles shows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from configuration.homes import Home, write
from pages import blocks, page
from recordings.places import recording

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recordings.recorder import Recording

_PROJECT_FILE: Final = """\
[profiles.ours]
backend = "fixed"
cookie = { from = "prompt" }
"""


def explain() -> str:
    with _profiles() as recorded:
        line = "erlconnect profiles explain production/shop"
        recorded.run(f"ERLCONNECT_DNS_SERVER=10.3.9.9 {line}")
        return recorded.text


def check() -> str:
    with _profiles() as recorded:
        file = Home(recorded.here.home).user_file
        file.write_text(file.read_text().replace("datacenter", "datacentre"))
        recorded.run("erlconnect profiles check")
        return recorded.text


def confirm() -> str:
    with _profiles() as recorded:
        question = "[y/N]:"
        recorded.talk("erlconnect production/shop", last=question, leaving=[(question, "n\r")])
        return recorded.text


def trust() -> str:
    with _profiles() as recorded:
        write(recorded.here.home / "shop/erlconnect.toml", _PROJECT_FILE)
        recorded.go_to(recorded.here.home / "shop")
        recorded.run("erlconnect profiles")
        recorded.talk("erlconnect trust", ("[y/N]:", "y"), last="until it changes\r\n", leaving=[])
        return recorded.text


@contextmanager
def _profiles() -> Iterator[Recording]:
    """A home with the page's file where that belongs."""
    file, *_ = blocks(page("guides/profiles.md"), "toml")
    with recording() as recorded:
        Home(recorded.here.home).user(file)
        yield recorded
