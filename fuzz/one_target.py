"""Fuzz one target in this process: its name, then what libFuzzer is told."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(
    include=["erlconnect", "erlconnect_backends", "websockets", "dns.wire", "dns.message"]
):
    from targets import TARGETS
if __name__ == "__main__":
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name])
    atheris.Fuzz()
