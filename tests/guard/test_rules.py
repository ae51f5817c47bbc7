"""The table of rules, and the page that is made of it."""

from __future__ import annotations

import re

from pages import page

from erlconnect.guard.rules import ALLOW_STOP, INBOUND_FULL, RULES, rules_table


def test_the_page_has_the_table_as_it_is() -> None:
    found = re.search(
        r"<!-- rules -->\n(.*?)\n<!-- end of rules -->", page("explanation/safety.md"), re.DOTALL
    )
    assert found
    assert found[1] == rules_table()


def test_every_rule_says_how_to_allow_what_it_refuses() -> None:
    assert len({(rule.group, rule.what) for rule in RULES}) == len(RULES)
    for rule in RULES:
        wanted = {"stop": ALLOW_STOP, "inbound": INBOUND_FULL}.get(rule.group)
        assert wanted is None or rule.remedy == wanted
