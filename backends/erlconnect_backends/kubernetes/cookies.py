"""The cookie sources ``kubernetes-env`` and ``kubernetes-exec``: settings, lookup, registration.

``kubernetes-env`` reads the variables of the node's container from the API server
(``container_env``), and the flags among them. ``kubernetes-exec`` runs one command in the container
(``exec``), for releases that set no variable: the cookie is in the running node's flags, in its
environment, or in a cookie file. Both choose the pod and its container by ``open_cookie_pod``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from erlconnect.api import (
    ERLANG_VARIABLES,
    Cookie,
    CookieNotFoundError,
    NodeName,
    NoNodeFoundError,
    Offer,
    RefusedError,
    cookie_in_flags,
    cookie_text,
    hookimpl,
    is_helper,
    read_variables,
)
from erlconnect_backends.kubernetes import access_review
from erlconnect_backends.kubernetes.api_client import ApiClient
from erlconnect_backends.kubernetes.container_env import (
    COOKIE_NAMES,
    LITERAL_NAME,
    ContainerEnvironment,
    DataObjects,
    UnknownValueError,
)
from erlconnect_backends.kubernetes.plugin import AccessSettings
from erlconnect_backends.kubernetes.pods import Pod, beam_container, pod_at, pod_of
from erlconnect_backends.kubernetes.requests import POD, one
from erlconnect_backends.kubernetes.target_syntax import parse_target

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from erlconnect.api import CookieSource, Target
    from erlconnect_backends.kubernetes.exec import ProcessTable


class CookiePodSettings(AccessSettings):
    """The settings for where a cookie is looked for."""

    pod: str = Field(
        default="", description="The pod; if empty the one that has the target's address."
    )
    container: str = Field(default="", description="The container, as for the backend kubernetes.")
    target: str = Field(
        default="", description="What TARGET was, for the Role in an error about missing rights."
    )


class EnvironmentCookieSettings(CookiePodSettings):
    """Settings of ``kubernetes-env``."""

    argument: ClassVar[str | None] = "names"

    names: tuple[str, ...] = Field(
        default=COOKIE_NAMES,
        min_length=1,
        description="The variables that may hold the cookie; the first that is set counts.",
    )


class EnvironmentCookieSource:
    """Looks the cookie up in the description of the pod, without entering it."""

    def __init__(self, settings: EnvironmentCookieSettings) -> None:
        self._settings = settings

    async def fetch(self, target: Target) -> Cookie | None:
        """Return the first variable that is set, or what a flag sets; ``None`` without both.

        Raises ``CookieNotFoundError`` where a variable is set and its value cannot be known,
        ``RefusedError`` where a Secret may not be read, ``LookupFailedError`` and its kin where the
        server could not answer. Cancelled, it leaves nothing behind.
        """
        cookie_pod = await open_cookie_pod(self._settings, target, names=self._settings.names)
        data = DataObjects(cookie_pod.rest, cookie_pod.pod.namespace)
        environment = ContainerEnvironment(cookie_pod.pod, cookie_pod.container, data)
        try:
            return await self._first_cookie(cookie_pod, environment)
        except UnknownValueError as error:
            raise CookieNotFoundError(
                f"The cookie of {cookie_pod.words} cannot be found out: {error}",
                remedy="Correct the pod's variables, or name another source with `--cookie-from`,"
                " e.g. kubernetes-exec.",
            ) from None

    async def _first_cookie(
        self, cookie_pod: CookiePod, environment: ContainerEnvironment
    ) -> Cookie | None:
        for name in self._settings.names:
            value = await environment.value(name)
            if value is None or not value.strip():
                continue
            if name == LITERAL_NAME:
                return await _release_cookie(cookie_pod, environment, value)
            if cookie := _cookie(value, f"{name} of {cookie_pod.words}"):
                return cookie
        return await _in_flags(cookie_pod, environment)


async def _release_cookie(
    cookie_pod: CookiePod, environment: ContainerEnvironment, value: str
) -> Cookie | None:
    """Return the cookie of a release with this ``RELEASE_COOKIE``; ``None`` for a cookie file."""
    flag_cookie = await _flag(environment, {LITERAL_NAME: value})
    if flag_cookie is None or flag_cookie == value:
        return _cookie(value, f"{LITERAL_NAME} of {cookie_pod.words}", literal=True)
    return _cookie(flag_cookie, f"a flag of {cookie_pod.words}", literal=True)


async def _in_flags(cookie_pod: CookiePod, environment: ContainerEnvironment) -> Cookie | None:
    flag_cookie = await _flag(environment, {})
    return _cookie(flag_cookie or "", f"a flag of {cookie_pod.words}", literal=True)


async def _flag(environment: ContainerEnvironment, more: Mapping[str, str]) -> str | None:
    # ``more`` is what a release's own script sets before it starts the node.
    variables = await environment.known(ERLANG_VARIABLES)
    return cookie_in_flags({**variables, **more}, await environment.command_line())


def _cookie(value: str, origin: str, *, literal: bool = False) -> Cookie | None:
    # A value need not be UTF-8; its bytes are the cookie.
    content = value.encode(errors="surrogateescape")
    return cookie_of(content, place=f"The variable {origin}", origin=origin, literal=literal)


class ExecCookieSettings(CookiePodSettings):
    """Settings of ``kubernetes-exec``."""

    optional: bool = Field(
        default=False,
        description="Whether the next source is asked where nothing may or can be run in there.",
    )


class ExecCookieSource:
    """Runs one command that changes nothing in the container of the node."""

    def __init__(self, settings: ExecCookieSettings) -> None:
        self._settings = settings

    async def fetch(self, target: Target) -> Cookie | None:
        """Return the cookie of the node that runs there; ``None`` where none was found.

        Raises ``CookieNotFoundError`` where nothing can be run in the container, ``RefusedError``
        where that is not allowed, both unless it is ``optional``; ``LookupFailedError`` and its kin
        where the server could not answer. Cancelled, it leaves no connection behind; the command
        ends by itself.
        """
        try:
            return await self._look(target)
        except (CookieNotFoundError, RefusedError):
            if self._settings.optional:
                return None
            raise

    async def _look(self, target: Target) -> Cookie | None:
        from erlconnect_backends.kubernetes.exec import (  # noqa: PLC0415 - imports websockets
            ContainerProbe,
            run_inside,
        )

        cookie_pod = await open_cookie_pod(self._settings, target, names=())
        probe = ContainerProbe()
        result = await run_inside(cookie_pod, probe.words)
        # A command that failed may have printed a part only.
        if result.failure:
            raise CookieNotFoundError(
                f"A look into {cookie_pod.words} failed: {result.failure}",
                remedy="Name another source with `--cookie-from`, or another container with"
                " -o container=.",
            )
        for value, origin, literal in _candidates(probe.read(result.output), target.node):
            where = f"{origin} of {cookie_pod.words}"
            said = f"What was found in {where}"
            if cookie := cookie_of(value, place=said, origin=where, literal=literal):
                return cookie
        return None


def _candidates(table: Sequence[ProcessTable], node: NodeName) -> Iterator[tuple[bytes, str, bool]]:
    """Yield all that may be the cookie of ``node``, best first, and whether it is so literally."""
    for process in _of_node(table, node):
        flag_cookie = cookie_in_flags({}, process.flags)
        if flag_cookie:
            yield _bytes(flag_cookie), "the node's flags", True
        # A flag counts more than every variable and file.
        if flag_cookie is None:
            for name in COOKIE_NAMES:
                literal = name == LITERAL_NAME
                yield _bytes(process.variables.get(name, "")), f"the variable {name}", literal
        for path, content in process.files.items():
            # A release passes its own file on as a flag: a node without that flag did not read it.
            if flag_cookie is None or path.endswith(".erlang.cookie"):
                yield content, path, False


def _of_node(table: Sequence[ProcessTable], node: NodeName) -> Sequence[ProcessTable]:
    """Return the processes that may be ``node``, best first.

    Where one has its name, the others are left out. Otherwise the name is not known, or it was set
    after the start: those without a name come first.
    """
    running = [process for process in table if process.is_process]
    without = [process for process in table if not process.is_process]
    names = {process.number: _node_name(process) for process in running}
    # The part before the @ decides: the host may be written otherwise in the flags.
    own = [one for one in running if node.name and names[one.number].name == node.name]
    if own:
        return [*sorted(own, key=lambda one: names[one.number] != node), *without]

    def likelihood(process: ProcessTable) -> tuple[bool, bool]:
        name = names[process.number].name
        # ``rpc`` and ``remote`` commands of a release run as processes of their own.
        return is_helper(name), bool(name and node.name)

    return [*sorted(running, key=likelihood), *without]


def _node_name(process: ProcessTable) -> NodeName:
    erlang = read_variables({}, process.flags)
    return erlang.node or NodeName(name=erlang.name, host="")


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class CookiePod:
    """One container of one pod; errors of ``rest`` name all rights that the session needs."""

    rest: ApiClient
    pod: Pod
    container: Mapping[str, Any]

    @property
    def words(self) -> str:
        """What it is called in messages."""
        return f"{self.container['name']} in the pod {self.pod.name}"


async def open_cookie_pod(
    settings: CookiePodSettings, target: Target, *, names: Collection[str]
) -> CookiePod:
    """Ask for the pod and choose its container; ``names`` are the variables to be looked for.

    Raises as ``cluster_access`` and ``ApiClient``; ``NoNodeFoundError`` where no
    pod has the target's address, ``UsageError`` where there is no such container.
    """
    from erlconnect_backends.kubernetes.cluster_access import (  # noqa: PLC0415 - imports kubernetes
        cluster_access,
    )

    # The Role in an error about missing rights is for the whole session.
    access = await cluster_access(settings)
    needed = access_review.PORT_FORWARD | access_review.rights_to_find(
        parse_target(settings.target) if settings.target else None
    )
    pod = await _pod(ApiClient(access, needed=needed), settings.pod, target)
    container = beam_container(pod, settings.container)
    rest = ApiClient(access, needed=needed | access_review.rights_for_cookie(container, names))
    return CookiePod(rest=rest, pod=pod, container=container)


async def _pod(rest: ApiClient, name: str, target: Target) -> Pod:
    namespace = rest.access.namespace
    if name:
        return pod_of(await rest.get(one(POD, name, namespace=namespace)))
    pod = await pod_at(rest, target.address)
    if pod is None:
        raise NoNodeFoundError(
            f"No pod in the namespace {namespace} runs at the address {target.address}",
            remedy="Name the pod with -o cookie.pod=, or its namespace with -o cookie.namespace=.",
        )
    return pod


def cookie_of(value: bytes, *, place: str, origin: str, literal: bool = False) -> Cookie | None:
    """Return what was found as a cookie; ``None`` where it is blank or the address of a file.

    Newlines at the end are left out, as of a file, unless the node takes the value literally.
    """
    # EMQX reads the cookie from the file where the variable has the address of one.
    if not value.strip() or value.startswith(b"file://"):
        return None
    stripped = value if literal else value.rstrip(b"\r\n")
    note = "" if stripped == value else f"a newline at the end of {origin} was left out"
    return Cookie(cookie_text(stripped, place=place), origin=origin, note=note)


def _create_env_source(settings: EnvironmentCookieSettings) -> CookieSource:
    return EnvironmentCookieSource(settings)


class EnvironmentCookiePlugin:
    """The entry point ``kubernetes-env``."""

    @staticmethod
    @hookimpl
    def erlconnect_cookie_sources() -> Sequence[Offer]:
        """Offer ``kubernetes-env``."""
        return [
            Offer(
                name="kubernetes-env",
                summary="The variables of a pod's container, with the Secrets that they come from",
                settings=EnvironmentCookieSettings,
                create=_create_env_source,
                needs=("kubernetes",),
                install="pip install 'erlconnect[kubernetes]'",
            )
        ]


def _create_exec_source(settings: ExecCookieSettings) -> CookieSource:
    return ExecCookieSource(settings)


class ExecCookiePlugin:
    """The entry point ``kubernetes-exec``."""

    @staticmethod
    @hookimpl
    def erlconnect_cookie_sources() -> Sequence[Offer]:
        """Offer ``kubernetes-exec``."""
        return [
            Offer(
                name="kubernetes-exec",
                summary="One look into a pod's container: the node's flags, variables and cookie"
                " file",
                settings=ExecCookieSettings,
                create=_create_exec_source,
                needs=("kubernetes", "websockets"),
                install="pip install 'erlconnect[kubernetes]'",
            )
        ]
