"""What one cluster consists of, apart from the server through which it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from world.kubernetes.faults import Faults
from world.kubernetes.objects import Objects
from world.kubernetes.pods import Pods
from world.kubernetes.users import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The parts; any thread may use any of them."""

    objects: Objects = field(default_factory=Objects)
    pods: Pods = field(default_factory=Pods)
    users: Users = field(default_factory=Users)
    faults: Faults = field(default_factory=Faults)
