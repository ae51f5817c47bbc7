"""The library kr8s, as a program: does one thing and prints what it saw as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from typing import Any

import kr8s.asyncio
from kr8s.asyncio.objects import Pod
from kubernetes_double.echo import digest_after_echo, digest_of

_SECONDS = 20


async def listed(api: kr8s.asyncio.Api) -> Any:
    """The names of the pods with a label."""
    found = api.get("pods", label_selector={"app": "shop"})
    return [pod.name async for pod in found if isinstance(pod, Pod)]


async def forwarded(api: kr8s.asyncio.Api, port: str, megabytes: str) -> Any:
    """Whether data came back as it went."""
    data = os.urandom(int(megabytes) << 20)
    pod = await Pod.get("shop-1", namespace="shop", api=api)
    async with pod.portforward(int(port), local_port="auto") as local:
        return await asyncio.to_thread(_same_through, local, data)


async def executed(api: kr8s.asyncio.Api) -> Any:
    """Both outputs and the exit code of a command."""
    pod = await Pod.get("shop-1", namespace="shop", api=api)
    words = ["sh", "-c", "echo out; echo err >&2; exit 5"]
    done = await pod.exec(words, check=False)
    return [done.stdout.decode(), done.stderr.decode(), done.returncode]


def _same_through(port: int, data: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", port), _SECONDS) as to_pod:
        return digest_after_echo(to_pod, data) == digest_of(data)


async def main(kubeconfig: str, what: str, *words: str) -> None:
    api = await kr8s.asyncio.api(kubeconfig=kubeconfig, namespace="shop")
    work = {each.__name__: each for each in (listed, forwarded, executed)}
    print(json.dumps(await work[what](api, *words)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
