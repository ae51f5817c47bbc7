"""The sessions that the documentation shows, by the names of their places in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recordings import of_backends, of_calls, of_commands, of_profiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SESSIONS: Final[Mapping[str, Callable[[], str]]] = {
    "fixed": of_backends.fixed,
    "dns": of_backends.dns,
    "railway": of_backends.railway,
    "consul": of_backends.consul,
    "consul-connect": of_backends.consul_connect,
    "kubernetes": of_backends.kubernetes,
    "doctor": of_commands.doctor,
    "doctor-well": of_commands.doctor_well,
    "ping": of_commands.ping,
    "targets": of_commands.targets,
    "shell": of_commands.shell,
    "run": of_commands.run,
    "status": of_commands.status,
    "all-instances": of_calls.all_instances,
    "names": of_calls.names,
    "profiles-explain": of_profiles.explain,
    "profiles-check": of_profiles.check,
    "confirm": of_profiles.confirm,
    "trust": of_profiles.trust,
}
