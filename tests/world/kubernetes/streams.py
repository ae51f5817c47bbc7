"""Requests that become streams: port-forward and exec. Finds the pod, then hands over.

Each is served over channels of a websocket and over SPDY; kubectl's port-forward speaks SPDY
inside a websocket, and all of kubectl plain SPDY where websockets are refused.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from world.kubernetes import answers, port_forward, spdy_exec, spdy_port_forward, websocket_exec
from world.kubernetes.exec_command import asked_execution
from world.kubernetes.pod_connections import asked_ports
from world.kubernetes.raw_upgrades import RawPipe, asks_for_spdy
from world.kubernetes.statuses import bad_request
from world.kubernetes.websockets import Websocket, offered_protocols

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web
    from world.kubernetes.calls import Call
    from world.kubernetes.cluster import Cluster
    from world.kubernetes.faults import Faults
    from world.kubernetes.pods import RunningPod


async def stream(cluster: Cluster, request: web.BaseRequest, call: Call) -> web.StreamResponse:
    """Serve one stream to its end. Raises RefusedError while nothing has been agreed on."""
    item = answers.one(cluster.objects, call.of_object())
    pod = cluster.pods.find(call.namespace, call.name)
    if pod is None:
        raise bad_request(f"pod {call.name} does not have a host assigned")
    if call.subresource == "portforward":
        runs = partial(cluster.pods.find, call.namespace, call.name)
        return await _forward(cluster.faults, request, item, runs)
    return await _execute(cluster.faults, request, item, pod)


async def _forward(
    faults: Faults,
    request: web.BaseRequest,
    item: Mapping[str, Any],
    runs: Callable[[], RunningPod | None],
) -> web.StreamResponse:
    pod_id = item["metadata"]["uid"].replace("-", "")
    pod = runs()
    assert pod
    if asks_for_spdy(request):
        pipe = await RawPipe.accept(request, faults, spdy_port_forward.PROTOCOL)
        await spdy_port_forward.SpdyPortForward(pipe, runs, pod_id).run()
        return pipe.response
    if offered_protocols(request) == [spdy_port_forward.WEBSOCKET_PROTOCOL]:
        protocols = [spdy_port_forward.WEBSOCKET_PROTOCOL]
        websocket = await Websocket.accept(request, protocols, faults)
        await spdy_port_forward.SpdyPortForward(websocket, runs, pod_id).run()
        await websocket.close()
        return websocket.response
    ports = asked_ports(list(request.query.items()))
    websocket = await Websocket.accept(request, port_forward.PROTOCOLS, faults)
    await port_forward.PortForward(websocket, pod, pod_id, ports).run()
    return websocket.response


async def _execute(
    faults: Faults, request: web.BaseRequest, item: Mapping[str, Any], pod: RunningPod
) -> web.StreamResponse:
    asked = asked_execution(item, list(request.query.items()))
    if asks_for_spdy(request):
        pipe = await RawPipe.accept(request, faults, spdy_exec.PROTOCOL)
        await spdy_exec.SpdyExec(pipe, pod, asked).run()
        return pipe.response
    websocket = await Websocket.accept(request, websocket_exec.PROTOCOLS, faults)
    await websocket_exec.WebsocketExec(websocket, pod, asked).run()
    return websocket.response
