"""Railway's GraphQL API, and which project and environment are asked about.

``GraphApi`` sends one query of ``queries/`` with one token. ``Project`` is one project and one
environment, with the ids behind the names that people use. Where the settings do not name them,
``project_link`` does: from the variables that Railway sets inside a service, else from the project
that the railway command has linked to this folder or to one above it.

Written from Railway's public schema and the queries of its open command-line program; it was never
run against Railway itself. Source: https://docs.railway.com/reference/public-api
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from erlconnect.api import (
    ConfigurationError,
    HttpConnection,
    HttpError,
    HttpProxy,
    HttpRequest,
    LookupFailedError,
    LookupTimeoutError,
    NameNotFoundError,
    RefusedError,
    client_context,
    open_stream,
    redact,
    remember,
    tls_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 8 * 1024 * 1024
_REFUSALS: Final = (401, 403)
_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")
_LINKS: Final = Path(".railway") / "config.json"


class GraphApi:
    """Railway's API, asked with the token of a project or with that of a person."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], *, of_project: bool) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self.of_project = of_project

    @classmethod
    def from_environment(cls, endpoint: str, variables: Mapping[str, str]) -> GraphApi | None:
        """Return the API with the token in ``variables``; ``None`` where there is none.

        Raises ``ConfigurationError`` where ``endpoint`` is not safe for a token, and
        where the variable holds none.
        """
        if not _is_safe(endpoint):
            raise ConfigurationError(
                f"-o endpoint={endpoint}: a token must not travel in the clear",
                remedy="Give an https:// address.",
            )
        if token := _token(variables, "RAILWAY_TOKEN"):
            return cls(endpoint, {"Project-Access-Token": token}, of_project=True)
        if token := _token(variables, "RAILWAY_API_TOKEN"):
            return cls(endpoint, {"Authorization": f"Bearer {token}"}, of_project=False)
        return None

    async def ask(self, query: str, **variables: str) -> dict[str, Any]:
        """Send the query of that name and return ``data`` of the answer.

        Raises ``RefusedError`` where the token has no right, ``LookupTimeoutError`` after 10 s, and
        ``LookupFailedError`` for all else. Cancelled, it leaves no connection behind.
        """
        text = resources.files(__package__).joinpath("queries", f"{query}.graphql").read_text()
        body = json.dumps({"query": text, "variables": variables}).encode()
        try:
            answer = json.loads(await self._post(body))
        except TimeoutError as error:
            raise LookupTimeoutError(
                f"Railway's API did not answer the question for {query} within {SECONDS:g} s",
                remedy="Try again.",
            ) from error
        except (ValueError, RecursionError) as error:  # the latter where it is nested very deeply
            raise self._failed(query, "the answer is no JSON") from error
        if not isinstance(answer, dict):
            raise self._failed(query, "the answer holds no data")
        data, errors = answer.get("data"), answer.get("errors")
        if errors or not isinstance(data, dict) or not data:
            raise self._error_in_answer(query, errors)
        return data

    async def _post(self, body: bytes) -> bytes:
        try:
            async with asyncio.timeout(SECONDS):
                status, answer = await self._exchange(body)
        except TimeoutError:
            raise
        except (OSError, HttpError) as error:
            raise self._failed("the query", _words(error)) from None
        if status in _REFUSALS:
            raise _refused(f"HTTP status {status}")
        # Redirects are not followed: another host must not receive the token.
        if status != HTTPStatus.OK:
            raise self._failed("the query", f"HTTP status {status}")
        return answer

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(self._endpoint)
        host = parts.hostname or ""
        secure = parts.scheme == "https"
        # In a thread: the certificates of this machine are many, and parsed at every call.
        tls = await asyncio.to_thread(client_context) if secure else None
        place = (host, parts.port or (443 if secure else 80))
        request = HttpRequest(
            method="POST",
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers=[
                ("Host", parts.netloc.rpartition("@")[2]),
                ("Content-Type", "application/json"),
                ("User-Agent", "erlconnect"),
                ("Connection", "close"),
                *self._headers.items(),
            ],
            body=body,
        )
        # Without TLS a proxy would see the token.
        proxy = _proxy(host) if secure else None
        async with open_stream(place, tls=tls, tls_name=host, proxy=proxy) as stream:
            response = await HttpConnection(stream).request(request)
            return response.status, await response.read(limit=_LONGEST_ANSWER)

    def _error_in_answer(self, query: str, errors: Any) -> LookupFailedError | RefusedError:
        # GraphQL reports errors in the body of an answer that has the status 200.
        listed = errors if isinstance(errors, list) else []
        words = "; ".join(
            str(one.get("message", "")) if isinstance(one, dict) else str(one) for one in listed
        )
        if "not authorized" in words.lower():
            return _refused(redact(words))
        return self._failed(query, redact(words) or "the answer holds no data")

    def _failed(self, query: str, seen: str) -> LookupFailedError:
        return LookupFailedError(
            f"Railway's API at {self._endpoint} could not answer {query}: {seen}",
            remedy="Check -o project= and -o environment=, and Railway's status page.",
        )


def _is_safe(endpoint: str) -> bool:
    """Return whether a token may be sent there: by TLS, or to this machine."""
    try:
        parts = urlsplit(endpoint)
        # "http://localhost:1@elsewhere" leads elsewhere.
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        return False
    local = parts.scheme == "http" and parts.hostname in _THIS_MACHINE
    return usable and (parts.scheme == "https" or local)


def _token(variables: Mapping[str, str], name: str) -> str:
    token = variables.get(name, "")
    remember(token)
    # A line end in a header would begin another header (RFC 9112, section 5).
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError(
            f"the variable {name} holds characters that no token has",
            remedy="Set it again, without line ends.",
        )
    return token


def _proxy(host: str) -> HttpProxy | None:
    """Return the proxy that the environment has for TLS with ``host``."""
    url = getproxies().get("https", "")
    if not url or proxy_bypass(host):
        return None
    parts = urlsplit(url if "//" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise ConfigurationError(
            "The proxy that HTTPS_PROXY names is none that opens tunnels by HTTP",
            remedy="Write http://HOST:PORT, or except Railway's API in NO_PROXY.",
        )
    # From here on it is left out of every message and log.
    remember(unquote(parts.password or ""))
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    encoded = base64.b64encode(login.encode()).decode()
    return HttpProxy(
        host=parts.hostname,
        port=parts.port or 80,
        authorization=f"Basic {encoded}" if parts.username else "",
    )


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {tls_words(error)}"
    if isinstance(error, OSError) and error.errno:
        return tls_words(error)
    # An exception's text may quote a header, and so the token.
    return redact(str(error)) or type(error).__name__


def _refused(seen: str) -> RefusedError:
    return RefusedError(
        f"Railway's API refused the token: {seen}",
        remedy="RAILWAY_TOKEN must be a token of this project and environment, "
        "RAILWAY_API_TOKEN one of a person who may see them.",
    )


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
        """Return the project of the settings, else of a project's token or of ``project_link``.

        Raises ``ConfigurationError`` where nothing says it and ``NameNotFoundError`` where the
        environment is not in the project.
        """
        if api.of_project:
            # A project's token is valid for one project and environment, and names them itself.
            link = await _token_scope(api, ProjectLink(project=project, environment=environment))
        else:
            link = project_link(project, environment, variables, folder)
        if not link.project or not link.environment:
            raise _no_project()
        answer = await api.ask("services", project=link.project)
        with _checked_shape("services"):
            found = answer["project"]
            name, services = found["name"], _by_name(found["services"])
            environments = _by_name(found["environments"])
        identity, environment_name = _id_and_name(
            environments, link.environment, "environment", name
        )
        return cls(
            api=api,
            project=link.project,
            name=name,
            environment=identity,
            environment_name=environment_name,
            services=services,
        )

    async def variables(self, service: str) -> dict[str, str]:
        """Return the service's variables in this environment; all values are secrets."""
        answer = await self.api.ask("variables", **self._ids(service))
        with _checked_shape("variables"):
            return {str(name): str(value) for name, value in answer["variables"].items()}

    async def facts(self, service: str) -> dict[str, str]:
        """Return what is shown of a target: project, environment and state of the deployment."""
        answer = await self.api.ask("deployments", **self._ids(service))
        with _checked_shape("deployments"):
            latest = [str(edge["node"]["status"]) for edge in answer["deployments"]["edges"]]
        facts = {"project": self.name, "environment": self.environment_name}
        return facts | ({"deployment": latest[0].lower()} if latest else {})

    def _ids(self, service: str) -> dict[str, str]:
        identity, _ = _id_and_name(self.services, service, "service", self.name)
        return {
            "project": self.project,
            "environment": self.environment,
            "service": identity,
        }


def _no_project() -> ConfigurationError:
    return ConfigurationError(
        "nothing says which Railway project and environment are meant",
        remedy="Give -o project= and -o environment=, or run `railway link` here.",
    )


async def _token_scope(api: GraphApi, link: ProjectLink) -> ProjectLink:
    """Return ``link``, and what it lacks from the scope of the project's token."""
    answer = await api.ask("token_scope")
    with _checked_shape("token_scope"):
        scope = answer["projectToken"]
        return ProjectLink(
            project=link.project or scope["projectId"],
            environment=link.environment or scope["environmentId"],
        )


@contextmanager
def _checked_shape(query: str) -> Iterator[None]:
    """Turn what an answer of another shape raises into ``LookupFailedError``."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise LookupFailedError(
            f"Railway's API answered the question for {query} in a form that is not known",
            remedy="Check -o project=; if it is right, Railway's schema has changed: report it.",
        ) from error


def _by_name(connection: Mapping[str, Any]) -> dict[str, str]:
    return {edge["node"]["name"]: edge["node"]["id"] for edge in connection["edges"]}


def _id_and_name(ids: Mapping[str, str], wanted: str, what: str, project: str) -> tuple[str, str]:
    """Return id and name of the one that is called, or has the id, ``wanted``."""
    for name, identity in ids.items():
        if wanted in (identity, name) or wanted.lower() == name.lower():
            return identity, name
    raise NameNotFoundError(
        f"the Railway project {project} has no {what} {wanted}",
        remedy=f"It has: {', '.join(sorted(ids)) or 'none'}.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLink:
    """A project and an environment, by id or by name; empty where nothing says it."""

    project: str = ""
    environment: str = ""


def project_link(
    project: str, environment: str, variables: Mapping[str, str], folder: Path
) -> ProjectLink:
    """Return the project and environment; ``folder`` is the working directory.

    Raises ``ConfigurationError`` where the railway command's file is needed and
    cannot be read.
    """
    if project and environment:
        return ProjectLink(project=project, environment=environment)
    in_service = ProjectLink(
        project=variables.get("RAILWAY_PROJECT_ID", ""),
        environment=variables.get("RAILWAY_ENVIRONMENT_ID", ""),
    )
    known = in_service if in_service.project else _linked(variables, folder)
    # An environment belongs to its project: it is not taken from another one.
    own = known.environment if project in ("", known.project) else ""
    return ProjectLink(project=project or known.project, environment=environment or own)


def _linked(variables: Mapping[str, str], folder: Path) -> ProjectLink:
    home = variables.get("HOME")
    file = Path(home) / _LINKS if home else Path.home() / _LINKS
    try:
        projects: dict[str, Any] = json.loads(file.read_bytes()).get("projects", {})
        for above in (folder, *folder.parents):
            if link := projects.get(os.fspath(above)):
                return ProjectLink(
                    project=link["project"], environment=link.get("environment") or ""
                )
    except FileNotFoundError:
        return ProjectLink()
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"the railway command's file {file} cannot be used: {type(error).__name__}",
            remedy="Run `railway link` again, or give -o project= and -o environment=.",
        ) from error
    return ProjectLink()
