from __future__ import annotations

import pytest

from erlconnect.epmd.environment import EpmdEnvironment
from erlconnect.errors import ConfigurationError


@pytest.mark.parametrize("environment", [{}, {"ERL_EPMD_PORT": "", "ERL_EPMD_ADDRESS": ""}])
def test_nothing_set_means_the_usual_port_and_loopback(environment: dict[str, str]) -> None:
    assert EpmdEnvironment.read(environment) == EpmdEnvironment(port=4369, addresses=())


def test_a_port_and_several_addresses() -> None:
    read = EpmdEnvironment.read(
        {"ERL_EPMD_PORT": "5001", "ERL_EPMD_ADDRESS": "127.0.0.5, ::1,10.0.0.1,"}
    )
    assert read == EpmdEnvironment(port=5001, addresses=("127.0.0.5", "::1", "10.0.0.1"))


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "4369x", "4_369", "²"])
def test_a_rubbish_port_is_named(port: str) -> None:
    with pytest.raises(ConfigurationError, match="ERL_EPMD_PORT") as raised:
        EpmdEnvironment.read({"ERL_EPMD_PORT": port})
    assert "4369" in raised.value.remedy


@pytest.mark.parametrize("addresses", ["localhost", "127.0.0.1 ::1", "127.0.0.1,300.1.1.1"])
def test_a_rubbish_address_is_named(addresses: str) -> None:
    with pytest.raises(ConfigurationError, match="ERL_EPMD_ADDRESS"):
        EpmdEnvironment.read({"ERL_EPMD_ADDRESS": addresses})
