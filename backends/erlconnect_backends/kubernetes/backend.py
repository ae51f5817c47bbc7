"""The backend ``kubernetes``: the pods of TARGET as targets, now and whenever they change.

``cluster_access`` chooses the cluster, ``workloads`` finds the pods, ``pods`` makes targets of
them, and ``access_review`` says which rights are missing. Watches:
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from erlconnect.api import ErlconnectError, RefusedError, SuggestedProfile
from erlconnect_backends.kubernetes import access_review
from erlconnect_backends.kubernetes.access_review import denied, may_be_refused
from erlconnect_backends.kubernetes.api_client import ApiClient, gather_two
from erlconnect_backends.kubernetes.cluster_access import IN_CLUSTER, cluster_access, contexts
from erlconnect_backends.kubernetes.container_env import COOKIE_NAMES, DataObjects
from erlconnect_backends.kubernetes.pods import beam_container, target_of
from erlconnect_backends.kubernetes.requests import POD, all_of, changes_of, role_yaml
from erlconnect_backends.kubernetes.target_syntax import parse_target
from erlconnect_backends.kubernetes.workloads import Workloads, nothing_usable, usable_pods

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from erlconnect.api import Query, SessionApi, Target
    from erlconnect_backends.kubernetes.cluster_access import ClusterAccess
    from erlconnect_backends.kubernetes.plugin import KubernetesSettings
    from erlconnect_backends.kubernetes.pods import Pod
    from erlconnect_backends.kubernetes.requests import ApiRequest, Right
    from erlconnect_backends.kubernetes.workloads import Group

_WATCH_SECONDS: Final = 240
_GRACE_SECONDS: Final = 10
_POLL_SECONDS: Final = 15.0
_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0


class KubernetesBackend:
    """Finds pods in one namespace of one cluster, which it chooses at its first request.

    When the kubeconfig's current context is changed later, it stays with that cluster.
    """

    def __init__(self, settings: KubernetesSettings) -> None:
        self._settings = settings
        self._access: ClusterAccess | None = None
        self._lock = asyncio.Lock()

    async def discover(self, query: Query, session: SessionApi) -> Sequence[Target]:
        """Return one target for each usable pod, ready ones first, by name.

        Raises ``NameNotFoundError`` and ``NoNodeFoundError`` where there is no usable pod,
        ``RefusedError`` where a right is missing, ``LookupFailedError`` and ``LookupTimeoutError``
        where the server could not answer, ``ConfigurationError`` for the kubeconfig. Cancelled, it
        leaves nothing behind but a thread that may wait for a credential plugin.
        """
        rest = await self._rest(query)
        # At the same time, so that the review costs no time of its own.
        group, missing = await gather_two(
            self._group(rest, query), denied(rest, access_review.PORT_FORWARD)
        )
        if missing:
            session.warn(may_be_refused(missing, namespace=rest.access.namespace))
        return await self._targets(rest, group, query, session.warn)

    async def watch(self, query: Query, session: SessionApi) -> AsyncIterator[Sequence[Target]]:
        """Yield the targets at first and whenever they change.

        A failed lookup yields nothing, nor does a group without a usable pod: it is asked again
        after a pause. Cancelled or closed, it leaves nothing behind.
        """
        del session  # ``discover`` warns already
        rest = await self._rest(query)
        known: list[tuple[object, ...]] = []
        pause = _PAUSE_SECONDS
        while True:
            try:
                # Before the pods are read, so that no change between both is missed.
                since = await rest.version(all_of(POD, namespace=rest.access.namespace))
                group = await self._group(rest, query)
                current = [_state_of(pod) for pod in self._usable(group)]
                # Other changes of a pod, as in its annotations, do not concern its targets.
                if current and current != known:
                    yield await self._targets(rest, group, query, _drop_warning)
                    known = current
                await wait_for_change(rest, group.changes, since=since)
                pause = _PAUSE_SECONDS
            except ErlconnectError:
                # The targets stay as they are until the server answers again.
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def services(self, session: SessionApi) -> Sequence[str]:
        """Return the Deployments, StatefulSets and DaemonSets that may be listed, as TARGETs."""
        del session  # nothing to warn of
        access = await self._cluster()
        return await Workloads(ApiClient(access), access.namespace).completions()

    async def rights(self, query: Query, session: SessionApi) -> str:
        """Return the smallest Role that does for ``query``, as YAML.

        Secrets and ConfigMaps are named where the pods may be listed. Raises what ``discover``
        raises for the kubeconfig and for a server that could not answer.
        """
        del session  # nothing to warn of
        rest = await self._rest(query)
        rights = self._rights_to_find(query) | access_review.PORT_FORWARD
        try:
            group = await self._group(rest, query)
        except RefusedError:
            # Without the pods, the Secrets that they use have no known names.
            rights |= access_review.ANY_SECRET
        else:
            for pod in group.pods[:1]:
                container = beam_container(pod, self._settings.container)
                rights |= access_review.rights_for_cookie(container, COOKIE_NAMES)
        return role_yaml(rights, namespace=rest.access.namespace)

    def suggested_profiles(self, environment: Mapping[str, str]) -> Sequence[SuggestedProfile]:
        """Return a profile for each context of the kubeconfig, with its namespace."""
        return [
            SuggestedProfile(
                name=context,
                why=f"the context {context} of the kubeconfig",
                settings={"context": context, **({"namespace": space} if space else {})},
            )
            for context, space in contexts(self._settings, environment).items()
        ]

    async def _cluster(self) -> ClusterAccess:
        async with self._lock:
            # Once only, so that a later change of the current context does not change the cluster.
            if self._access is None:
                self._access = await cluster_access(self._settings)
            return self._access

    async def _rest(self, query: Query) -> ApiClient:
        # Which Secrets are needed is known only when the pods are.
        session_rights = access_review.PORT_FORWARD | access_review.ANY_SECRET
        needed = self._rights_to_find(query) | session_rights
        return ApiClient(await self._cluster(), needed=needed)

    def _rights_to_find(self, query: Query) -> set[Right]:
        return access_review.rights_to_find(
            None if self._pods_are_set else parse_target(query.service)
        )

    @property
    def _pods_are_set(self) -> bool:
        """Whether a setting selects the pods, so that TARGET is only a name."""
        return bool(self._settings.selector or self._settings.pod)

    async def _group(self, rest: ApiClient, query: Query) -> Group:
        settings = self._settings
        workloads = Workloads(rest, rest.access.namespace)
        if settings.pod:
            return await workloads.pod(settings.pod)
        if settings.selector:
            return await workloads.selected(settings.selector)
        return await workloads.named(parse_target(query.service))

    def _usable(self, group: Group) -> Sequence[Pod]:
        return usable_pods(
            group, allow_unready=self._settings.allow_unready, chosen=self._settings.pod
        )

    async def _targets(
        self, rest: ApiClient, group: Group, query: Query, warn: Callable[[str], None]
    ) -> Sequence[Target]:
        pods = self._usable(group)
        if not pods:
            raise nothing_usable(group)
        access = rest.access
        data = DataObjects(
            rest, access.namespace, on_refusal=lambda error: warn(f"left unread: {error.message}")
        )
        facts = {"context": access.context, "revision": group.revision}
        return [
            await target_of(
                pod,
                container=self._settings.container,
                data=data,
                access=self._access_again(access),
                wanted="" if self._pods_are_set else query.service,
                facts={key: value for key, value in facts.items() if value},
                warn=warn,
            )
            for pod in pods
        ]

    def _access_again(self, access: ClusterAccess) -> dict[str, object]:
        """Return the settings that lead to the same cluster even if the current context changes."""
        context = {} if access.context == IN_CLUSTER else {"context": access.context}
        return {**self._settings.access_settings(), **context, "namespace": access.namespace}


async def wait_for_change(rest: ApiClient, request: ApiRequest, *, since: str) -> None:
    """Return at the first change after the version ``since``, and after 250 s in any case.

    Without the right to watch it returns after 15 s. Raises as ``ApiClient``. Cancelled, it leaves
    no connection behind.
    """
    changes = changes_of(request, since=since, seconds=_WATCH_SECONDS)
    try:
        async with (
            # The server ends the watch itself; this is for one that no longer answers.
            asyncio.timeout(_WATCH_SECONDS + _GRACE_SECONDS),
            aclosing(rest.watch(changes)) as events,
        ):
            async for _ in events:
                return
    except TimeoutError:
        return
    except RefusedError:
        await asyncio.sleep(_POLL_SECONDS)


def _state_of(pod: Pod) -> tuple[object, ...]:
    return (pod.name, pod.address, pod.ready, pod.terminating)


def _drop_warning(_message: str) -> None:
    """Drop the warning: ``discover`` gave the same one."""
