"""Which project and environment are meant, where the settings do not say it.

Order: the settings, the variables that Railway sets inside a service, the project that the railway
command has linked to this folder or to one above it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINKS: Final = Path(".railway") / "config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A project and an environment, by id or by name; empty where nothing says it."""

    project: str = ""
    environment: str = ""


def place_of(project: str, environment: str, variables: Mapping[str, str], folder: Path) -> Place:
    """Give what is meant; ``folder`` is the working directory.

    An environment belongs to its project, so both come from one place unless the settings name
    the environment. Raises ``ConfigurationError`` where the railway command's file is needed and
    cannot be read.
    """
    if project and environment:
        return Place(project=project, environment=environment)
    inside = Place(
        project=variables.get("RAILWAY_PROJECT_ID", ""),
        environment=variables.get("RAILWAY_ENVIRONMENT_ID", ""),
    )
    known = inside if inside.project else _linked(variables, folder)
    own = known.environment if project in ("", known.project) else ""
    return Place(project=project or known.project, environment=environment or own)


def _linked(variables: Mapping[str, str], folder: Path) -> Place:
    home = variables.get("HOME")
    file = Path(home) / _LINKS if home else Path.home() / _LINKS
    try:
        projects: dict[str, Any] = json.loads(file.read_bytes()).get("projects", {})
        for above in (folder, *folder.parents):
            if link := projects.get(os.fspath(above)):
                return Place(project=link["project"], environment=link.get("environment") or "")
    except FileNotFoundError:
        return Place()
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the railway command's file {file} cannot be used: {type(error).__name__}",
            remedy="Run `railway link` again, or give -o project= and -o environment=.",
        ) from error
    return Place()
