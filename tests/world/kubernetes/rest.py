"""Every HTTP request to the API server double: faults, the user, the rights, then the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from world.kubernetes import answers
from world.kubernetes.calls import Call, read_call
from world.kubernetes.kinds import discovery
from world.kubernetes.listening import reset
from world.kubernetes.port_forward import PROTOCOLS, PortForward, asked_ports
from world.kubernetes.statuses import RefusedError, bad_request, forbidden
from world.kubernetes.users import ADMINISTRATORS

if TYPE_CHECKING:
    from world.kubernetes.cluster import Cluster
    from world.kubernetes.users import User

_LARGEST_MESSAGE: Final = 4 << 20
_PROTOCOL: Final = "Sec-WebSocket-Protocol"


class RestHandler:
    """Answers requests about one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except RefusedError as refusal:
            code = int(refusal.status["code"])
            return web.json_response(refusal.status, status=code, headers=refusal.headers)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._meet_faults(request)
        user = self._cluster.users.authenticate(request.headers.get("Authorization", ""))
        document = discovery(request.path) if request.method == "GET" else None
        if document is not None:
            return web.json_response(document)
        call = read_call(request.method, request.path, request.query)
        self._authorize(user, call)
        if call.subresource:
            return await self._stream(request, call)
        return web.json_response(await self._object_answer(request, call))

    async def _object_answer(self, request: web.BaseRequest, call: Call) -> dict[str, Any]:
        objects = self._cluster.objects
        match call.verb:
            case "get":
                return answers.one(objects, call)
            case "list":
                return answers.listing(objects, call, request.query)
            case "create":
                return answers.created(objects, call, await request.json())
            case "update":
                return answers.updated(objects, call, await request.json())
            case "delete":
                return answers.deleted(objects, call)
        raise bad_request(f"the double cannot {call.verb} {call.kind.plural}")

    def _authorize(self, user: User, call: Call) -> None:
        if ADMINISTRATORS not in user.groups:
            raise forbidden(
                user.name,
                call.verb,
                call.kind,
                subresource=call.subresource,
                namespace=call.namespace,
                name=call.name,
            )

    async def _stream(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        item = answers.one(self._cluster.objects, call_of_pod(call))
        pod = self._cluster.pods.find(call.namespace, call.name)
        if pod is None:
            raise bad_request(f"pod {call.name} does not have a host assigned")
        ports = asked_ports(list(request.query.items()))
        websocket = await self._upgrade(request, PROTOCOLS)
        pod_id = item["metadata"]["uid"].replace("-", "")
        await PortForward(websocket, pod, pod_id, ports, self._cluster.faults).run()
        return websocket

    async def _upgrade(
        self, request: web.BaseRequest, protocols: tuple[str, ...]
    ) -> web.WebSocketResponse:
        offered = [word.strip() for word in request.headers.get(_PROTOCOL, "").split(",")]
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request("Upgrade request required")
        if offered != [""] and not set(offered) & set(protocols):
            raise web.HTTPForbidden(text="")  # as golang.org/x/net/websocket answers
        websocket = web.WebSocketResponse(
            protocols=protocols, autoping=False, compress=False, max_msg_size=_LARGEST_MESSAGE
        )
        await websocket.prepare(request)
        return websocket

    async def _meet_faults(self, request: web.BaseRequest) -> None:
        text = f"{request.method} {request.path_qs} {request.headers.get(_PROTOCOL, '')}"
        for fault in self._cluster.faults.meeting(text):
            await asyncio.sleep(fault.delay)
            if fault.reset:
                reset(request.transport)
                raise web.HTTPServiceUnavailable(text="")  # nobody hears it
            if fault.code:
                raise RefusedError(fault.body(), fault.headers)


def call_of_pod(call: Call) -> Call:
    """The call that reads the pod that a subresource belongs to."""
    return Call(
        verb="get", kind=call.kind, namespace=call.namespace, name=call.name, subresource=""
    )
