"""What the documentation shows as recorded can be recorded again."""

from __future__ import annotations

import re

from pages import blocks, pages
from recordings.sessions import SESSIONS

_RECORDED = re.compile(r"<!-- recorded: (\S+) -->\n(.*?)<!-- end of \1 -->", re.DOTALL)


def test_every_recording_has_its_place_on_one_page() -> None:
    places = [found for page in pages() for found in _RECORDED.findall(page.read_text())]

    assert sorted(name for name, _ in places) == sorted(SESSIONS)
    for name, text in places:
        (block,) = blocks(text, "console")
        assert re.match(r"\$ (\w+=\S+ )?(erlconnect|erl) ", block), name
