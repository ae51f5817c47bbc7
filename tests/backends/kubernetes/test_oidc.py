"""Logins by an OpenID Connect issuer: nothing goes to one that is not trusted, and no error is a
bug."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import pytest
from backends.kubernetes.test_cluster_access import authorization, opened, written
from world.kubernetes.certificates import Authority
from world.kubernetes.kubectl import SUITES, Kubectl
from world.oidc_issuer import OidcIssuer, identity_token
from world.ports import free_port

from erlconnect.api import ConfigurationError, ErlconnectError, LookupFailedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from world.kubernetes.api import KubernetesApi


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer() as server:
        yield server


async def test_nothing_is_sent_to_an_issuer_that_is_not_trusted(
    tmp_path: Path, issuer: OidcIssuer
) -> None:
    for authority in ("", base64.b64encode(Authority().certificate).decode()):
        user = issuer.user(**{"idp-certificate-authority-data": authority})
        with pytest.raises(LookupFailedError, match=r"not trusted: .*; nothing was sent to it"):
            await opened(written(tmp_path / "config", user))
    assert issuer.asked == []


async def test_no_secret_goes_to_a_token_endpoint_that_is_not_trusted(
    tmp_path: Path, issuer: OidcIssuer
) -> None:
    with OidcIssuer() as stranger:
        issuer.endpoint = f"{stranger.url}/token"
        with pytest.raises(LookupFailedError, match="not trusted"):
            await opened(written(tmp_path / "config", issuer.user()))
        assert stranger.asked == []
    for endpoint in ("http://10.0.0.1/token", "file:///token"):
        issuer.endpoint = endpoint
        with pytest.raises(ConfigurationError, match="without TLS"):
            await opened(written(tmp_path / "config", issuer.user()))


async def test_a_token_that_has_expired_is_renewed_and_one_that_holds_is_not(
    tmp_path: Path, issuer: OidcIssuer
) -> None:
    issuer.answer[1]["refresh_token"] = "second"
    path = written(tmp_path / "config", issuer.user())
    assert await authorization(await opened(path)) == f"Bearer {issuer.token}"
    assert issuer.forms[0]["grant_type"] == ["refresh_token"]
    assert await authorization(await opened(path)) == f"Bearer {issuer.token}"
    assert len(issuer.forms) == 1
    fresh = identity_token(expires=time.time() + 60)
    path = written(tmp_path / "fresh", issuer.user(**{"id-token": fresh}))
    assert await authorization(await opened(path)) == f"Bearer {fresh}"
    assert len(issuer.forms) == 1


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((400, {"error": "invalid_grant"}), 77, "refused the refresh-token: invalid_grant"),
        ((401, {"error": "invalid_client"}), 77, "refused the refresh-token: invalid_client"),
        ((200, {"access_token": "a"}), 77, "has no id_token"),
        ((200, {"id_token": "nonsense"}), 77, "is no JWT"),
        ((500, {}), 69, "answered 500"),
        ((200, b"<html>"), 77, "has no id_token"),
    ],
)
async def test_an_issuer_that_gives_nothing_is_told_in_one_line(
    tmp_path: Path, issuer: OidcIssuer, answer: tuple[int, Any], code: int, words: str
) -> None:
    issuer.answer = answer
    with pytest.raises(ErlconnectError, match=words) as refused:
        await opened(written(tmp_path / "config", issuer.user()))
    assert refused.value.exit_code == code
    assert "\n" not in refused.value.message
    assert "refresh-" + issuer.url[-5:] not in refused.value.message


async def test_an_issuer_that_is_not_there_and_a_login_that_is_over(
    tmp_path: Path, issuer: OidcIssuer
) -> None:
    nowhere = f"https://127.0.0.1:{free_port()}"
    path = written(tmp_path / "config", issuer.user(**{"idp-issuer-url": nowhere}))
    with pytest.raises(LookupFailedError, match="could not be reached: connection refused"):
        await opened(path)
    path = written(tmp_path / "config", issuer.user(**{"refresh-token": ""}))
    with pytest.raises(RefusedError, match="has expired, and there is no refresh-token"):
        await opened(path)
    path = written(tmp_path / "config", issuer.user(**{"client-id": ""}))
    with pytest.raises(ConfigurationError, match=r"auth-provider\.config.* has no client-id"):
        await opened(path)


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ({"name": "openstack"}, "removed in favour of the credential plugin client-keystone-auth"),
        ({"name": "azure"}, "removed in favour of the credential plugin kubelogin"),
        (
            {"name": "gcp", "config": {"access-token": "a", "expiry": "2017-01-01T00:00:00Z"}},
            "removed in favour of the credential plugin gke-gcloud-auth-plugin",
        ),
        ({"name": "mine"}, "is not known: 'mine'"),
    ],
)
async def test_nobody_is_asked_where_the_provider_is_unknown(
    tmp_path: Path, provider: dict[str, Any], words: str
) -> None:
    for more in ({}, {"token": "t"}):
        user = {"auth-provider": provider, **more}
        with pytest.raises(RefusedError, match=words):
            await opened(written(tmp_path / "config", user))


@pytest.mark.parametrize("suite", SUITES)
def test_kubectl_logs_in_at_the_same_issuer_and_refuses_a_stranger(
    tmp_path: Path, issuer: OidcIssuer, api: KubernetesApi, suite: str
) -> None:
    strange = issuer.user(**{"idp-certificate-authority-data": ""})
    with Kubectl(suite, api.kubeconfig(tmp_path / "strange", user=strange)) as kubectl:
        assert "certificate signed by unknown authority" in kubectl.fails("get", "--raw", "/api")
    assert issuer.asked == []
    path = api.kubeconfig(tmp_path / "config", user=issuer.user())
    with Kubectl(suite, path) as kubectl:
        kubectl.fails("get", "--raw", "/api")  # the test's server knows no such token
    assert issuer.forms[0]["grant_type"] == ["refresh_token"]
