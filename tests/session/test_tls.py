"""Whether a certificate's name stands for a host."""

from __future__ import annotations

import pytest

from erlconnect.session.tls import matches_name


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("shop-0.shop.internal", "shop-0.shop.internal"),
        ("SHOP-0.shop.internal.", "shop-0.SHOP.internal"),
        ("shop-0.shop.internal", "*.shop.internal"),
        ("10.3.2.1", "10.3.2.1"),
        ("fd12::1", "fd12:0:0:0:0:0:0:1"),
        ("shop", "shop"),
    ],
)
def test_it_does(wanted: str, name: str) -> None:
    assert matches_name(wanted, name)


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("shop-0.shop.internal", "shop-1.shop.internal"),
        ("shop-0.shop.internal", "shop.internal"),
        ("a.shop-0.shop.internal", "*.shop.internal"),
        ("shop.internal", "*.shop.internal"),
        ("shop.internal", "*.internal"),
        ("internal", "*"),
        ("shop-0.shop.internal", "*"),
        ("shop-0.shop.internal", "shop-*.shop.internal"),
        ("10.3.2.1", "*.3.2.1"),
        ("10.3.2.1", "10.3.2.10"),
        ("", ""),
    ],
)
def test_it_does_not(wanted: str, name: str) -> None:
    assert not matches_name(wanted, name)
