"""The cookie source ``keyring``, with a real store: the file of keyrings.alt."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import keyring
import pytest
from keyrings.alt.file import PlaintextKeyring

from erlconnect.api import ConfigurationError, CookieNotFoundError, NodeName, Target, TimedOutError
from erlconnect.testing import check_cookie_source
from erlconnect_plugins.cookies import keyring as source_module
from erlconnect_plugins.cookies.keyring import (
    KeyringCookieSource,
    KeyringSettings,
    erlconnect_cookie_sources,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = Target(node=NodeName.parse("shop@10.3.2.1"), address="10.3.2.1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PlaintextKeyring]:
    """The user's own store is not touched."""
    before = keyring.get_keyring()
    kept = PlaintextKeyring()  # type: ignore[no-untyped-call]
    kept.file_path = str(tmp_path / "keyring.cfg")
    keyring.set_keyring(kept)
    yield kept
    keyring.set_keyring(before)


def source(**settings: str) -> KeyringCookieSource:
    return KeyringCookieSource(KeyringSettings(**settings))


@pytest.mark.usefixtures("store")
async def test_the_entry_of_the_nodes_name() -> None:
    keyring.set_password("erlconnect", "shop", "S3CRET\n")
    await check_cookie_source(source(), TARGET)
    cookie = await source().fetch(TARGET)
    assert cookie.reveal() == "S3CRET"
    assert cookie.origin == "entry shop of erlconnect in the keyring"


@pytest.mark.usefixtures("store")
async def test_another_entry_of_another_service() -> None:
    keyring.set_password("work", "shop-staging", "éS3CRET")
    cookie = await source(name="shop-staging", service="work").fetch(TARGET)
    assert cookie.reveal() == "éS3CRET"


@pytest.mark.usefixtures("store")
async def test_no_entry_says_how_to_make_one() -> None:
    with pytest.raises(CookieNotFoundError, match="no entry shop of erlconnect") as caught:
        await source().fetch(TARGET)
    assert "keyring set erlconnect shop" in caught.value.remedy


@pytest.mark.usefixtures("store")
async def test_no_store_at_all() -> None:
    from keyring.backends.fail import Keyring

    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(ConfigurationError, match="No recommended backend") as caught:
        await source().fetch(TARGET)
    assert "PYTHON_KEYRING_BACKEND" in caught.value.remedy


class LockedKeyring(PlaintextKeyring):
    """Waits for somebody to unlock it."""

    unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        del service, username
        self.unlocked.wait(30)
        return None


@pytest.fixture
def locked(store: PlaintextKeyring) -> Iterator[LockedKeyring]:
    one = LockedKeyring()  # type: ignore[no-untyped-call]
    one.file_path = store.file_path
    keyring.set_keyring(one)
    yield one
    one.unlocked.set()


@pytest.mark.usefixtures("locked")
async def test_a_store_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source_module, "DEADLINE_SECONDS", 0.1)
    with pytest.raises(TimedOutError, match="did not give"):
        await source().fetch(TARGET)


@pytest.mark.usefixtures("locked")
async def test_it_can_be_cancelled_while_the_store_is_locked() -> None:
    async with asyncio.TaskGroup() as group:
        fetching = group.create_task(source().fetch(TARGET))
        await asyncio.sleep(0)
        fetching.cancel()
    assert fetching.cancelled()


def test_the_offer() -> None:
    [offer] = erlconnect_cookie_sources()
    assert (offer.name, offer.needs) == ("keyring", ("keyring",))
    assert offer.settings.argument == "name"
    assert isinstance(offer.create(offer.settings()), KeyringCookieSource)
