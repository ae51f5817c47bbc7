"""Certificates for nodes that speak the distribution over TLS, made by ``openssl``.

Knows how OTP is told to use them. Who is trusted, and who is not, is a test's business.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from world import releases
from world.missing import require

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTS_CERTIFICATE = "{fail_if_no_peer_cert,true}"
"""The option of a node's server that lets in nobody without a certificate."""
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path

    def leaf(self, name: str, *hosts: str) -> Certificate:
        """Make one that this one signs, for these hosts.

        OTP before 27 wants an address as a DNS name, later ones as an address.
        """
        addresses = [f"IP:{host}" for host in hosts if host.replace(".", "").isdigit()]
        names = ",".join([*(f"DNS:{host}" for host in hosts), *addresses])
        extensions = ("-addext", f"subjectAltName={names}") if hosts else ()
        signer = ("-CA", str(self.certificate), "-CAkey", str(self.key))
        return _made(self.certificate.parent, name, *signer, *extensions)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """A folder that the nodes of one release can read, with an authority that they trust.

    ``root`` is what those nodes see as ``/``.
    """

    folder: Path
    root: Path
    authority: Certificate
    stranger: Certificate

    def flags(self, own: Certificate, *more: str) -> list[str]:
        """The flags of a node that speaks TLS as ``own``; ``more`` are options of its server."""
        files = [
            f"{{certfile,{self._inside(own.certificate)}}}",
            f"{{keyfile,{self._inside(own.key)}}}",
            f"{{cacertfile,{self._inside(self.authority.certificate)}}}",
            "{verify,verify_peer}",
        ]
        options = self.folder / f"{own.certificate.stem}.conf"
        server, client = ",".join([*files, *more]), ",".join(files)
        options.write_text(f"[{{server,[{server}]}},{{client,[{client}]}}].\n")
        file = self._inside(options).strip('"')
        return ["-proto_dist", "inet_tls", "-ssl_dist_optfile", file]

    def _inside(self, path: Path) -> str:
        return f'"/{path.relative_to(self.root)}"'


@contextmanager
def tls_files(release: str = "25") -> Iterator[TlsFiles]:
    """Make the files for nodes of ``release``, and a second authority that nobody trusts."""
    require("openssl", shutil.which("openssl") is not None)
    trees = {"25": Path("/"), **releases.available()}
    require(f"OTP {release}", release in trees)
    with tempfile.TemporaryDirectory(prefix="tls-", dir=trees[release] / "tmp") as name:
        folder = Path(name)
        yield TlsFiles(
            folder=folder,
            root=trees[release],
            authority=_authority(folder, "authority"),
            stranger=_authority(folder, "stranger"),
        )


def _authority(folder: Path, name: str) -> Certificate:
    return _made(folder, name, "-addext", "basicConstraints=critical,CA:TRUE")


def _made(folder: Path, name: str, *words: str) -> Certificate:
    made = Certificate(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
    out = ("-keyout", str(made.key), "-out", str(made.certificate), "-subj", f"/CN={name}")
    command = ["openssl", "req", "-x509", *_KEY, *out, "-days", "1", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return made
