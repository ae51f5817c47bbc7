"""Random kubeconfigs, read here and by the real kubectl: the same is sent, or both refuse.

    PYTHONPATH=tests .venv/bin/python -m backends.kubernetes.kubeconfig_differential --number 300

What is compared is the ``Authorization`` that a server receives, and what ``kubectl config view
--raw --minify`` shows of the context. ``--seed`` begins elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import ssl
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from world.kubernetes.certificates import Authority
from world.kubernetes.kubectl import SUITES, Kubectl

from erlconnect.api import ErlconnectError
from erlconnect_backends.kubernetes.cluster_access import cluster_access
from erlconnect_backends.kubernetes.connection import open_connection
from erlconnect_backends.kubernetes.plugin import AccessSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED: Final = 20261201
_NAMES: Final = ("one", "two")
_STRICTER: Final = ("insecure-skip-tls-verify", "without TLS", "names no current context")
"""Words of what is refused here by design, though kubectl would go on."""


@dataclass(slots=True)
class Differences:
    """What was compared, and where the two were not of one mind."""

    compared: int = 0
    accepted: int = 0
    found: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    received: list[str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10

    def do_GET(self) -> None:
        self.server.received.append(self.headers.get("Authorization", ""))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Comparison:
    """A server that notes who asks, and one folder for the files; a context manager."""

    def __init__(self) -> None:
        self._authority = Authority()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.received = []
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._server.socket = self._authority.server_context().wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._folder = tempfile.TemporaryDirectory(prefix="kubeconfig-")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> Self:
        self._thread.start()
        (self.folder / "ca.pem").write_bytes(self._authority.certificate)
        (self.folder / "token").write_text("token-of-file\n")
        (self.folder / "empty").write_text("")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
        self._folder.cleanup()

    def run(self, number: int, seed: int, suites: tuple[str, ...] = SUITES) -> Differences:
        """Compare ``number`` lists of files, each with every one of ``suites``."""
        chance, differences = random.Random(seed), Differences()
        for turn in range(number):
            paths = self._files(chance)
            own = asyncio.run(self._own(paths))
            for suite in suites:
                real = self._real(paths, suite)
                differences.compared += 1
                differences.accepted += not real.startswith("refused")
                stricter = any(words in own for words in _STRICTER)
                if own.partition(":")[0] != real.partition(":")[0] and not stricter:
                    texts = [Path(path).read_text() for path in paths.split(os.pathsep)]
                    shown = f"{turn} {suite}: here {own!r}, kubectl {real!r}: {texts}"
                    differences.found.append(shown)
        return differences

    async def _own(self, paths: str) -> str:
        os.environ["KUBECONFIG"] = paths
        try:
            access = await cluster_access(AccessSettings())
            credentials = await access.credentials()
            connection = await open_connection(access.endpoint, credentials)
            connection.wire.close()
        except ErlconnectError as error:
            return f"refused: {error.message}"
        except ssl.SSLError:
            return "refused: the certificate"
        sent = dict(credentials.headers).get("Authorization", "")
        return f"{access.namespace} {sent}"

    def _real(self, paths: str, suite: str) -> str:
        self._server.received.clear()
        with Kubectl(suite, None) as kubectl:
            os.environ["KUBECONFIG"] = paths
            done = kubectl.run("get", "--raw", "/api")
            nobody = done.stderr.endswith(b"error: EOF\n")  # it asks the terminal for a name
            if not nobody and (done.returncode or not self._server.received):
                return f"refused: {done.stderr.decode()}"
            shown = kubectl.run("config", "view", "--raw", "--minify", "-o", "json")
        if shown.returncode:
            return f"refused: {shown.stderr.decode()}"
        view = json.loads(shown.stdout)
        namespace = view["contexts"][0]["context"].get("namespace") or "default"
        sent = "" if nobody else self._server.received[0]
        return f"{namespace} {sent}"

    def _files(self, chance: random.Random) -> str:
        paths = []
        for number in range(chance.choice((1, 1, 2, 3))):
            path = self.folder / f"config-{number}"
            path.write_text(self._text(chance))
            paths.append(str(path))
        if chance.random() < 0.2:
            paths.insert(chance.randrange(len(paths) + 1), str(self.folder / "empty"))
        return os.pathsep.join(paths)

    def _text(self, chance: random.Random) -> str:
        if chance.random() < 0.1:
            return chance.choice(("", "# nothing\n", "---\n", "null\n", "{}\n"))
        kinds = {"cluster": self._cluster, "user": self._user, "context": _context}
        content: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
        content["current-context"] = chance.choice(("one", "one", "one", "two", None, ""))
        for kind, make in kinds.items():
            entries = [{"name": name, kind: make(chance)} for name in _NAMES]
            kept = [entry for entry in entries if chance.random() < 0.9]
            content[f"{kind}s"] = kept if kept or chance.random() < 0.5 else None
        return json.dumps(content)

    def _cluster(self, chance: random.Random) -> dict[str, Any]:
        port = self._server.server_address[1]
        data = base64.b64encode(self._authority.certificate).decode()
        authority = chance.choice(
            (
                {"certificate-authority-data": data},
                {"certificate-authority-data": data, "certificate-authority": None},
                {"certificate-authority": "ca.pem", "certificate-authority-data": ""},
                {"certificate-authority": str(self.folder / "ca.pem")},
            )
        )
        return {
            "server": f"https://127.0.0.1:{port}",
            **authority,
            **dict(_empty(chance, "cluster")),
        }

    def _user(self, chance: random.Random) -> dict[str, Any]:
        user = dict(_empty(chance, "user"))
        for values in chance.sample(tuple(self._logins()), chance.choice((1, 1, 1, 2))):
            user |= values
        return user

    def _logins(self) -> Iterator[dict[str, Any]]:
        yield {"token": "token-of-entry"}
        yield {"tokenFile": "token"}
        yield {"tokenFile": str(self.folder / "missing")}
        yield {"token": "both", "tokenFile": "token"}
        yield {"username": "me", "password": "pass:word"}
        yield {"username": "alone"}
        yield {"auth-provider": {"name": "openstack"}}
        yield {"auth-provider": None, "exec": None}
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        printed = json.dumps({**answer, "status": {"token": "token-of-plugin"}})
        plugin = {"apiVersion": answer["apiVersion"], "interactiveMode": "Never", "env": None}
        yield {"exec": {**plugin, "command": "printf", "args": ["%s", printed]}}
        yield {"exec": {**plugin, "command": "no-such-plugin", "installHint": "Get it."}}


def _context(chance: random.Random) -> dict[str, Any]:
    context = {"cluster": chance.choice(("one", "one", "two")), "user": chance.choice(_NAMES)}
    return {**context, "namespace": chance.choice(("shop", None, ""))}


_KEYS: Final = {
    "cluster": ("proxy-url", "tls-server-name", "insecure-skip-tls-verify", "extensions"),
    "user": ("client-certificate", "client-key-data", "as", "as-groups", "as-user-extra"),
}


def _empty(chance: random.Random, kind: str) -> Iterator[tuple[str, Any]]:
    return ((key, None) for key in _KEYS[kind] if chance.random() < 0.3)


def main() -> int:
    """Compare as many as the command line says; the exit code says whether all agreed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=SEED)
    words = parser.parse_args()
    with Comparison() as comparison:
        differences = comparison.run(words.number, words.seed)
    print("\n".join(differences.found))
    found = len(differences.found)
    print(f"{differences.compared} compared, {differences.accepted} accepted, {found} differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
