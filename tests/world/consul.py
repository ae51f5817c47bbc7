"""A real Consul agent, server and Connect CA in one, all its ports its own.

Knows how an agent is started and asked over plain HTTP. Refuses to use the code under test, and
to know what the services are for. HTTP API: https://developer.hashicorp.com/consul/api-docs
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from world.missing import require
from world.ports import free_port
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

PROGRAM: Final = shutil.which("consul") or shutil.which(
    "consul", path=Path(__file__).parents[2] / ".world" / "bin"
)
_REQUEST_SECONDS: Final = 10
_START_SECONDS: Final = 30
_ACL: Final = """
acl {
  enabled = true
  default_policy = "deny"
  tokens { master = "%s" agent = "%s" }
}
"""


class ConsulError(AssertionError):
    """The agent answered with another status than 200."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"status {status}: {said}")
        self.status = status


class ConsulAgent:
    """Has a leader and a Connect CA when the constructor returns; ends as a context manager.

    Datacenter ``dc1``, node ``node1``, DNS domain ``consul``. With ``acl`` everything is denied
    that no policy allows, and ``master_token`` may do everything; the helpers here use it. With
    ``keep`` the state survives ``restart()``, else the agent forgets it all. ``settings`` is HCL.
    """

    def __init__(self, *, acl: bool = False, keep: bool = False, settings: str = "") -> None:
        require("consul", PROGRAM is not None)
        self._folder = tempfile.TemporaryDirectory(prefix="consul-")
        self.folder = Path(self._folder.name)
        self.socket_path = self.folder / "http.sock"
        self.http_port, self.dns_port, self.grpc_port = free_port(), free_port(), free_port()
        self.master_token = str(uuid.uuid4()) if acl else ""
        self._command = self._command_line(keep=keep, settings=settings)
        self._process = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._folder.cleanup()

    @property
    def address(self) -> str:
        """What CONSUL_HTTP_ADDR may hold: ``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """What the agent has logged since it started."""
        return self._process.output

    def stop(self) -> None:
        """End the agent; later requests meet closed ports."""
        self._process.terminate()

    def kill(self) -> None:
        """End the agent by SIGKILL."""
        self._process.kill()

    def restart(self) -> None:
        """End the agent and start it again on the same ports."""
        self.stop()
        self._process = self._started()

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> Any:
        """The decoded answer to ``/v1{path}``; ``body`` is sent as JSON, bytes as they are.

        Uses the master token unless another is given; raises ``ConsulError``.
        """
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.http_port, timeout=_REQUEST_SECONDS
        )
        with contextlib.closing(connection):
            header = {"X-Consul-Token": self.master_token if token is None else token}
            connection.request(method, f"/v1{path}", None if body is None else data, header)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status != http.client.OK:
            raise ConsulError(answer.status, content.decode())
        is_json = answer.headers.get_content_type() == "application/json"
        return json.loads(content) if is_json else content.decode()

    def register(self, service: Mapping[str, object]) -> None:
        """Register ``service`` with this agent, in the form of the API's documentation."""
        self.request("PUT", "/agent/service/register", service)

    def deregister(self, service_id: str) -> None:
        """Take a service off this agent, its sidecar with it."""
        self.request("PUT", f"/agent/service/deregister/{service_id}")

    def services(self) -> dict[str, dict[str, Any]]:
        """What is registered with this agent, by service id."""
        found: dict[str, dict[str, Any]] = self.request("GET", "/agent/services")
        return found

    def proxied(self, service: str) -> list[str]:
        """Ids of the instances of ``service`` that have a sidecar which passes its checks."""
        entries = self.request("GET", f"/health/connect/{service}?passing=1")
        return [entry["Service"]["Proxy"]["DestinationServiceID"] for entry in entries]

    def kv_put(self, key: str, value: str | bytes) -> None:
        """Store ``value`` under ``key``."""
        self.request("PUT", f"/kv/{key}", value.encode() if isinstance(value, str) else value)

    def policy(self, name: str, rules: str) -> None:
        """Make an ACL policy of HCL rules."""
        self.request("PUT", "/acl/policy", {"Name": name, "Rules": rules})

    def token(self, *policies: str) -> str:
        """Make a token that has these policies; return the secret that requests carry."""
        links = [{"Name": name} for name in policies]
        made: dict[str, Any] = self.request("PUT", "/acl/token", {"Policies": links})
        return str(made["SecretID"])

    def token_for(self, rules: str) -> str:
        """Make a token that may do what ``rules`` say and nothing else."""
        name = f"test-{uuid.uuid4()}"
        self.policy(name, rules)
        return self.token(name)

    def intention(self, source: str, destination: str, action: str) -> None:
        """Say ``allow`` or ``deny`` of connections through the mesh; replaces what was said."""
        names = {"SourceName": source, "DestinationName": destination}
        for known in self.request("GET", "/connect/intentions"):
            if names.items() <= known.items():
                self.request("DELETE", f"/connect/intentions/{known['ID']}")
        self.request("POST", "/connect/intentions", {**names, "Action": action})

    def environment(self) -> dict[str, str]:
        """Variables by which the ``consul`` program finds this agent, and may ask it."""
        return {
            "CONSUL_HTTP_ADDR": self.address,
            "CONSUL_GRPC_ADDR": f"127.0.0.1:{self.grpc_port}",
            "CONSUL_HTTP_TOKEN": self.master_token,
            "PATH": f"{Path(str(PROGRAM)).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def _command_line(self, *, keep: bool, settings: str) -> list[str]:
        data = self.folder / "data"
        mode = ["-server", "-bootstrap", f"-data-dir={data}"] if keep else ["-dev"]
        addresses = f'addresses {{ http = "127.0.0.1 unix://{self.socket_path}" }}'
        # Raft's usual patience is for slow networks; a lone server waits for nobody.
        speed = "connect { enabled = true } performance { raft_multiplier = 1 }"
        acl = _ACL % (self.master_token, self.master_token) if self.master_token else ""
        return [
            *(str(PROGRAM), "agent", *mode, "-node=node1", "-client=127.0.0.1", "-bind=127.0.0.1"),
            *(f"-http-port={self.http_port}", f"-dns-port={self.dns_port}"),
            *(f"-grpc-port={self.grpc_port}", f"-server-port={free_port()}"),
            *(f"-serf-lan-port={free_port()}", "-serf-wan-port=-1", "-log-level=info"),
            *("-hcl", f"{addresses} {speed} {acl} {settings}"),
        ]

    def _started(self) -> Process:
        process = Process(self._command)
        try:
            wait_until(
                lambda: process.returncode is not None or self._is_ready(),
                "consul has a leader and a Connect CA",
                _START_SECONDS,
            )
            assert process.returncode is None, process.output
        except BaseException:
            process.kill()
            raise
        return process

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException, ConsulError):
            leader = self.request("GET", "/status/leader")
            roots = self.request("GET", "/connect/ca/roots")
            # ACLs become usable a moment after the leader stands.
            return bool(leader and roots["ActiveRootID"] and self.request("GET", "/agent/self"))
        return False
