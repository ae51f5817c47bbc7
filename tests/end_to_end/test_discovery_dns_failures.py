"""The ways in which a name server says no, or leads nowhere: four errors, never one."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from end_to_end.directory import Directory, real_directory
from end_to_end.evidence import assert_explained, failure
from end_to_end.machine import machine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with real_directory() as made:
        yield made


def test_no_target_answers(directory: Directory) -> None:
    with machine(epmd=False) as here:
        error = failure(directory.session(here, "_dist._tcp.dead.shop.test"))
        assert_explained(
            error,
            code=75,
            cause="timed-out",
            says=(
                "none of 2 targets answered",
                f"127.0.0.1:{directory.dead_port}",
                "its status did not come within",
            ),
            advises="Check",
        )


def test_a_template_with_an_unknown_field(directory: Directory) -> None:
    words = ["_dist._tcp.shop.shop.test", "-o", "node={pod}@{ip}"]
    with machine(epmd=False) as here:
        assert_explained(
            failure(directory.session(here, *words)),
            code=2,
            cause="usage",
            says=("{pod}@{ip}", "no field {pod}"),
            advises="{dashed_ip}",
        )


@pytest.mark.parametrize(
    ("service", "code", "cause", "says", "advises"),
    [
        ("ghost.shop.test", 69, "name-not-found", "NXDOMAIN", "spelling"),
        ("shop.broken.test", 69, "lookup-failed", "SERVFAIL", "Try again"),
        ("empty.shop.test", 69, "no-node-found", "has no such record", "instances that are ready"),
    ],
)
def test_what_a_name_server_says_instead_of_addresses(
    directory: Directory, service: str, *, code: int, cause: str, says: str, advises: str
) -> None:
    with machine(epmd=False) as here:
        assert_explained(
            failure(directory.session(here, service)),
            code=code,
            cause=cause,
            says=(service, f"127.0.0.1:{directory.dns_port}", says),
            advises=advises,
        )


def test_a_name_server_that_says_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, machine(epmd=False) as here:
        mute.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{mute.getsockname()[1]}"
        error = failure(here.session("-b", "dns", "shop.test", "-o", f"server={server}"))
        assert_explained(
            error,
            code=75,
            cause="lookup-timeout",
            says=("shop.test", server, "did not answer over UDP in time"),
            advises="-o tcp=true",
        )
