"""Certificates for nodes that speak the distribution over TLS, made by ``openssl``.

Knows how OTP is told to use them. What a test trusts, and what it does not, are authorities.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from world.missing import require

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path

    @classmethod
    def authority(cls, folder: Path, name: str = "authority") -> Self:
        """Make one that signs others."""
        return cls._make(folder, name, "basicConstraints=critical,CA:TRUE")

    def leaf(self, folder: Path, name: str, *hosts: str, days: int = 1) -> Certificate:
        """Make one that this authority signs, for these hosts, as OTP wants them: all DNS names."""
        names = f"subjectAltName={','.join(f'DNS:{host}' for host in hosts)}" if hosts else ""
        signer = ("-CA", str(self.certificate), "-CAkey", str(self.key))
        return self._make(folder, name, names, *signer, "-days", str(days))

    @classmethod
    def _make(cls, folder: Path, name: str, extension: str, *words: str) -> Self:
        require("openssl", shutil.which("openssl") is not None)
        made = cls(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
        out = ("-keyout", str(made.key), "-out", str(made.certificate), "-subj", f"/CN={name}")
        extensions = ("-addext", extension) if extension else ()
        command = ["openssl", "req", "-x509", *_KEY, *out, *words, *extensions]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return made


def tls_flags(
    folder: Path,
    own: Certificate,
    trusted: Path,
    *,
    root: Path = Path("/"),
    server: Sequence[str] = (),
    client: Sequence[str] = (),
) -> list[str]:
    """The flags of a node that speaks TLS with ``own`` and checks others against ``trusted``.

    ``root`` is what the node sees as ``/``; all files are below it.
    """

    def inside(path: Path) -> str:
        return f'"/{path.relative_to(root)}"'

    files = [
        f"{{certfile,{inside(own.certificate)}}}",
        f"{{keyfile,{inside(own.key)}}}",
        f"{{cacertfile,{inside(trusted)}}}",
        "{verify,verify_peer}",
    ]
    options = folder / "ssl_dist.conf"
    options.write_text(
        f"[{{server,[{','.join([*files, *server])}]}},{{client,[{','.join([*files, *client])}]}}].\n"
    )
    return ["-proto_dist", "inet_tls", "-ssl_dist_optfile", inside(options).strip('"')]
