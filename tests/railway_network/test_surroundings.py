"""Which project and environment are meant: the settings, Railway's variables, the link."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from erlconnect.api import ConfigurationError
from erlconnect_backends.railway_network.surroundings import Place, place_of

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = {"RAILWAY_PROJECT_ID": "inside", "RAILWAY_ENVIRONMENT_ID": "inside-production"}
LINKED = Place(project="linked", environment="linked-staging")


def linked(home: Path, folder: Path) -> dict[str, str]:
    """Write what `railway link` writes in ``folder``; give the variables of that user."""
    link = {
        "projectPath": str(folder),
        "name": "market",
        "project": LINKED.project,
        "environment": LINKED.environment,
        "environmentName": "staging",
        "service": None,
    }
    write(home, json.dumps({"projects": {str(folder): link}, "user": {"token": "t"}}))
    return {"HOME": str(home)}


def write(home: Path, text: str) -> None:
    (home / ".railway").mkdir()
    (home / ".railway" / "config.json").write_text(text)


def test_the_settings_come_first(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path) | INSIDE
    assert place_of("set", "prod", variables, tmp_path) == Place(project="set", environment="prod")


def test_then_what_railway_sets_inside_a_service(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path) | INSIDE
    assert place_of("", "", variables, tmp_path) == Place(
        project="inside", environment="inside-production"
    )


@pytest.mark.parametrize("below", ["", "app", "app/lib"])
def test_then_the_link_of_this_folder_or_one_above(tmp_path: Path, below: str) -> None:
    variables = linked(tmp_path, tmp_path / "code")
    assert place_of("", "", variables, tmp_path / "code" / below) == LINKED


def test_the_nearest_link_counts(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path / "code" / "shop")
    file = tmp_path / ".railway" / "config.json"
    content = json.loads(file.read_text())
    content["projects"][str(tmp_path / "code")] = {"project": "above", "environment": "above"}
    file.write_text(json.dumps(content))
    assert place_of("", "", variables, tmp_path / "code" / "shop") == LINKED
    assert place_of("", "", variables, tmp_path / "code").project == "above"


def test_a_link_of_another_folder_says_nothing(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path / "code")
    assert place_of("", "", variables, tmp_path / "codes") == Place()


def test_each_half_has_its_own_source(tmp_path: Path) -> None:
    variables = linked(tmp_path, tmp_path)
    assert place_of("", "prod", variables, tmp_path) == Place(
        project=LINKED.project, environment="prod"
    )


def test_a_project_of_the_settings_has_no_environment_of_another(tmp_path: Path) -> None:
    """The linked environment belongs to the linked project."""
    variables = linked(tmp_path, tmp_path)
    assert place_of("set", "", variables, tmp_path) == Place(project="set")
    assert place_of("set", "", variables | INSIDE, tmp_path) == Place(project="set")


def test_without_any_of_them_nothing_is_meant(tmp_path: Path) -> None:
    assert place_of("", "", {"HOME": str(tmp_path)}, tmp_path) == Place()


@pytest.mark.parametrize(
    "text", ["not json", "[]", '{"projects": 1}', '{"projects": {"FOLDER": {"name": "market"}}}']
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    write(tmp_path, text.replace("FOLDER", str(tmp_path)))
    with pytest.raises(ConfigurationError, match=r"\.railway/config\.json cannot be used"):
        place_of("", "", {"HOME": str(tmp_path)}, tmp_path)


def test_settings_that_say_all_need_no_file(tmp_path: Path) -> None:
    write(tmp_path, "not json")
    assert place_of("a", "b", {"HOME": str(tmp_path)}, tmp_path) == Place(
        project="a", environment="b"
    )
