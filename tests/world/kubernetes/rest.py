"""Every HTTP request to the API server double: faults, the user, the rights, then the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web
from world.kubernetes import answers
from world.kubernetes.access_reviews import reviewed
from world.kubernetes.calls import read_call
from world.kubernetes.kinds import REVIEW, discovery
from world.kubernetes.listening import reset
from world.kubernetes.rbac import allows
from world.kubernetes.statuses import RefusedError, bad_request, forbidden, unsupported_media_type
from world.kubernetes.streams import stream
from world.kubernetes.watches import Watches
from world.kubernetes.websockets import offered_protocols

if TYPE_CHECKING:
    from world.kubernetes.calls import Call
    from world.kubernetes.cluster import Cluster
    from world.kubernetes.users import User


class RestHandler:
    """Answers requests about one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._watches = Watches(cluster.objects)

    def close(self) -> None:
        self._watches.close()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except RefusedError as refusal:
            code = int(refusal.status["code"])
            return web.json_response(refusal.status, status=code, headers=refusal.headers)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._meet_faults(request)
        user = self._user(request)
        document = discovery(request.path) if request.method == "GET" else None
        if document is not None:
            return web.json_response(document)
        call = read_call(request.method, request.path, request.query)
        self._authorize(user, call, upgrading="Upgrade" in request.headers)
        if call.subresource:
            return await stream(self._cluster, request, call)
        if call.verb == "watch":
            return await self._watch(request, call)
        return web.json_response(await self._object_answer(request, user, call))

    async def _object_answer(
        self, request: web.BaseRequest, user: User, call: Call
    ) -> dict[str, Any]:
        objects = self._cluster.objects
        if call.kind is REVIEW:
            return reviewed(objects, user, await _body(request))
        match call.verb:
            case "get":
                return answers.one(objects, call)
            case "list":
                return answers.listing(objects, call, request.query)
            case "create":
                return answers.created(objects, call, await _body(request))
            case "update":
                return answers.updated(objects, call, await _body(request))
            case "delete":
                return answers.deleted(objects, call)
        raise bad_request(f"the double cannot {call.verb} {call.kind.plural}")

    async def _watch(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        lines = self._watches.lines(call, request.query)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        async for line in lines:
            await response.write(line)
        return response

    def _user(self, request: web.BaseRequest) -> User:
        transport = request.transport
        certificate = transport.get_extra_info("peercert") if transport else None
        shown = request.headers.get("Authorization", "")
        return self._cluster.users.authenticate(shown, certificate)

    def _authorize(self, user: User, call: Call, *, upgrading: bool) -> None:
        """Raise RefusedError unless the rights suffice; everybody may review his own."""
        if call.kind is REVIEW:
            return
        streaming = call.subresource and call.verb == "get" and upgrading
        for verb in self._cluster.stream_verbs if streaming else (call.verb,):
            access = call.access(verb)
            if not allows(self._cluster.objects, user, access):
                raise forbidden(user.name, access, call.kind)

    async def _meet_faults(self, request: web.BaseRequest) -> None:
        protocols = offered_protocols(request)
        line = self._cluster.requests.add(request.method, request.path_qs, protocols)
        for fault in self._cluster.faults.meeting(line):
            await asyncio.sleep(fault.delay)
            if fault.reset:
                reset(request.transport)
                raise web.HTTPServiceUnavailable(text="")  # nobody hears it
            if fault.code:
                raise RefusedError(fault.body(), fault.headers)


async def _body(request: web.BaseRequest) -> dict[str, Any]:
    """The object that a request carries. Raises RefusedError for one that is no JSON object."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise unsupported_media_type()
    try:
        body = await request.json()
    except ValueError as error:
        raise bad_request(str(error)) from None
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized")
    return body
