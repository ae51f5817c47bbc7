"""One project and environment of Railway, as far as its API shows them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from erlconnect.api import ConfigurationError, LookupFailedError, NameNotFoundError
from erlconnect_backends.railway_network.surroundings import Place, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from erlconnect_backends.railway_network.graph_api import GraphApi


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The ids behind the names that people use."""

    api: GraphApi
    project: str
    name: str
    environment: str
    environment_name: str
    services: Mapping[str, str]

    @classmethod
    async def find(
        cls,
        api: GraphApi,
        project: str,
        environment: str,
        variables: Mapping[str, str],
        folder: Path,
    ) -> Project:
        """Find what is meant: by the settings, else by a project's own token or the surroundings.

        Raises ``ConfigurationError`` where nothing says it and ``NameNotFoundError`` where the
        environment is not in the project.
        """
        place = Place(project=project, environment=environment)
        if api.of_project:
            place = await _scope(api, place)
        else:
            place = place_of(project, environment, variables, folder)
        if not place.project or not place.environment:
            raise ConfigurationError(
                "nothing says which Railway project and environment are meant",
                remedy="Give -o project= and -o environment=, or run `railway link` here.",
            )
        answer = await api.ask("services", project=place.project)
        with _understood("services"):
            shown = answer["project"]
            name, services = shown["name"], _by_name(shown["services"])
            environments = _by_name(shown["environments"])
        identity, environment_name = _one_of(environments, place.environment, "environment", name)
        return cls(
            api=api,
            project=place.project,
            name=name,
            environment=identity,
            environment_name=environment_name,
            services=services,
        )

    async def variables(self, service: str) -> dict[str, str]:
        """Give the service's variables in this environment; all values are secrets."""
        answer = await self.api.ask("variables", **self._ids(service))
        with _understood("variables"):
            return {str(name): str(value) for name, value in answer["variables"].items()}

    async def facts(self, service: str) -> dict[str, str]:
        """Give what is worth showing: project, environment and the state of the deployment."""
        answer = await self.api.ask("deployments", **self._ids(service))
        with _understood("deployments"):
            latest = [str(edge["node"]["status"]) for edge in answer["deployments"]["edges"]]
        facts = {"project": self.name, "environment": self.environment_name}
        return facts | ({"deployment": latest[0].lower()} if latest else {})

    def _ids(self, service: str) -> dict[str, str]:
        identity, _ = _one_of(self.services, service, "service", self.name)
        return {
            "project": self.project,
            "environment": self.environment,
            "service": identity,
        }


async def _scope(api: GraphApi, place: Place) -> Place:
    """Fill what ``place`` lacks with what the project's token is for."""
    answer = await api.ask("token_scope")
    with _understood("token_scope"):
        scope = answer["projectToken"]
        return Place(
            project=place.project or scope["projectId"],
            environment=place.environment or scope["environmentId"],
        )


@contextmanager
def _understood(query: str) -> Iterator[None]:
    """Turn an answer of another shape into an error for people."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise LookupFailedError(
            f"Railway's API answered the question for {query} in a form that is not known",
            remedy="Check -o project=; if it is right, Railway's schema has changed: report it.",
        ) from error


def _by_name(connection: Mapping[str, Any]) -> dict[str, str]:
    return {edge["node"]["name"]: edge["node"]["id"] for edge in connection["edges"]}


def _one_of(ids: Mapping[str, str], wanted: str, what: str, project: str) -> tuple[str, str]:
    """Give id and name of the one that is called, or has the id, ``wanted``."""
    for name, identity in ids.items():
        if wanted in (identity, name) or wanted.lower() == name.lower():
            return identity, name
    raise NameNotFoundError(
        f"the Railway project {project} has no {what} {wanted}",
        remedy=f"It has: {', '.join(sorted(ids)) or 'none'}.",
    )
