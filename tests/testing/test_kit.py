"""The offers that are built in keep the contract, and offers that do not are told why."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from pydantic import ConfigDict, Field

from erlconnect.api import Offer, Settings
from erlconnect.plugin_manager import Catalogue
from erlconnect.plugin_manager.loading import scan
from erlconnect.testing import check_offer

BUILT_IN = [entry.name for entry in scan({})[0] if entry.built_in]


class GoodSettings(Settings):
    argument: ClassVar[str | None] = "token_file"

    token_file: str = Field(description="Where the token is.")


class Undescribed(Settings):
    wick: str = "cotton"


class Thawed(Settings):
    model_config = ConfigDict(frozen=False)

    wick: str = Field(default="cotton", description="What burns.")


class Open(Settings):
    model_config = ConfigDict(extra="allow")


class Pointless(Settings):
    argument: ClassVar[str | None] = "token-file"


class Renamed(Settings):
    wick: str = Field(default="cotton", alias="thread", description="What burns.")


GOOD = Offer(name="lantern", summary="Shines.", settings=GoodSettings, create=repr)


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_is_built_in_keeps_the_contract(name: str) -> None:
    report = Catalogue().inspect(name)
    assert not report.problems
    for offer in report.offers.values():
        check_offer(offer)


def test_a_good_offer_passes() -> None:
    check_offer(GOOD)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "Lantern"}, "the name 'Lantern' must be lower case with dashes"),
        ({"summary": " "}, "an offer must have a summary"),
        ({"summary": "a\nb"}, "the summary of an offer must be one line"),
        ({"create": None}, "create must be callable with the settings"),
        ({"needs": ["dns"]}, "needs must be tuple, not list"),
        ({"needs": ("dns",)}, "an offer with needs must say how to install them"),
        ({"settings": dict}, "settings must be a subclass of erlconnect.api.Settings"),
        ({"settings": Undescribed}, "the setting 'wick' must have a description"),
        ({"settings": Thawed}, "Thawed must stay frozen"),
        ({"settings": Open}, "Open must forbid extra keys"),
        (
            {"settings": Pointless},
            "Pointless.argument names 'token-file', which is none of its fields",
        ),
        ({"settings": Renamed}, "the key 'thread' must be the name of its field"),
    ],
)
def test_an_offer_that_breaks_the_contract_is_told_why(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(AssertionError) as caught:
        check_offer(replace(GOOD, **changes))
    assert str(caught.value) == sentence


def test_what_is_no_offer_is_told_so() -> None:
    with pytest.raises(AssertionError, match="what a hook returns must be Offer, not dict"):
        check_offer({})  # type: ignore[arg-type]


def test_the_kit_needs_no_test_framework() -> None:
    code = "import sys, erlconnect.testing; print({'pytest', '_pytest'} & set(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout.strip() == "set()"
