"""What one cluster consists of, apart from the server through which it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from world.kubernetes.faults import Faults
from world.kubernetes.objects import Objects
from world.kubernetes.pods import Pods
from world.kubernetes.request_log import RequestLog
from world.kubernetes.users import Users


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The parts; any thread may use any of them.

    ``stream_verbs`` are those that a stream over a websocket needs the right to: both since
    Kubernetes 1.35, before that only ``get``.
    """

    objects: Objects = field(default_factory=Objects)
    pods: Pods = field(default_factory=Pods)
    users: Users = field(default_factory=Users)
    faults: Faults = field(default_factory=Faults)
    requests: RequestLog = field(default_factory=RequestLog)
    stream_verbs: tuple[str, ...] = ("get", "create")
