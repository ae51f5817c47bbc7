"""Which agent is asked, as whom, and how its certificate is checked.

``AccessSettings`` are the settings of everything that asks an agent, and ``access_of`` reads the
files and variables that they leave things to. An address and a variable mean here what they mean to
the ``consul`` program. Nothing is connected to.

Variables: https://developer.hashicorp.com/consul/commands#environment-variables
"""

from __future__ import annotations

import base64
import errno
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, Field

from erlconnect.api import (
    ConfigurationError,
    Settings,
    client_context,
    load_own_certificate,
    remember,
    tls_words,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

DEFAULT: Final = "127.0.0.1:8500"
_USUAL_PORTS: Final = {"http": 80, "https": 443}
_MAX_PORT: Final = 65535
_MAX_TOKEN_BYTES: Final = 4096
_TRUE: Final = ("1", "t", "true")
_FALSE: Final = ("0", "f", "false")
_URL: Final = re.compile(
    r"(?:(http|https|tcp)://)?(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:/?#@\s]+))?(?::([0-9]{1,5}))?/?"
)
_USER: Final = re.compile(r"//[^/]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAddress:
    """Where an agent listens; ``path`` is that of a Unix socket, else empty.

    ``tls`` says whether TLS is spoken there, which a Unix socket's scheme does not tell.
    """

    scheme: Literal["http", "https", "unix"]
    tls: bool
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def authority(self) -> str:
        """Return ``HOST:PORT`` with an IPv6 address in brackets; of a Unix socket ``localhost``."""
        if self.path:
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path or self.authority}"


def agent_address(text: str, *, tls: bool = False) -> AgentAddress:
    """Read ``text``; ``ValueError`` says what is wrong with it.

    With ``tls`` it means TLS whatever its scheme: as in the consul program, ``http://`` does not
    switch TLS off. Without a port it means the scheme's own, 80 or 443.
    """
    if text.startswith("unix://"):
        if not (path := text.removeprefix("unix://")):
            raise ValueError("after unix:// there has to be the path of a socket")
        return AgentAddress(scheme="unix", tls=tls, path=path)
    parts = _URL.fullmatch(text)
    if not parts or not (parts[2] or parts[3] or parts[4]):
        raise ValueError("it has to be HOST:PORT, http://HOST:PORT, https://... or unix://PATH")
    tls = tls or parts[1] == "https"
    scheme: Literal["http", "https"] = "https" if tls else "http"
    port = int(parts[4]) if parts[4] else _USUAL_PORTS[scheme]
    if not 0 < port <= _MAX_PORT:
        raise ValueError(f"there is no port {port}")
    host = parts[2] or _host_name(parts[3] or "localhost")  # A port alone is this machine's.
    return AgentAddress(scheme=scheme, tls=tls, host=host, port=port)


def _host_name(text: str) -> str:
    """Return ``text`` as DNS and HTTP have it: letters that are not ASCII in Punycode."""
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        # The codec's own words are for programmers.
        shown = text.encode(errors="backslashreplace").decode()
        raise ValueError(f"it has to be a host name that DNS can have, not {shown!r}") from None


def _address(text: str) -> str:
    agent_address(text)
    return text


class AccessSettings(Settings):
    """The settings of everything that asks an agent."""

    address: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None,
        description="The agent, HOST:PORT, http://..., https://... or unix://PATH;"
        f" without it CONSUL_HTTP_ADDR, or {DEFAULT}.",
    )
    token_file: Path | None = Field(
        default=None,
        description="The file that holds the ACL token;"
        " without it CONSUL_HTTP_TOKEN_FILE or CONSUL_HTTP_TOKEN.",
    )
    datacenter: str = Field(default="", description="The datacenter; the agent's own if empty.")
    namespace: str = Field(
        default="",
        description="The namespace (Consul Enterprise); CONSUL_NAMESPACE if empty.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="The CA certificates to check the agent's by; without it CONSUL_CACERT,"
        " CONSUL_CAPATH, or those of this machine.",
    )
    client_cert: Path | None = Field(
        default=None, description="The certificate to show the agent; else CONSUL_CLIENT_CERT."
    )
    client_key: Path | None = Field(
        default=None, description="The key of client-cert; else CONSUL_CLIENT_KEY."
    )
    tls_server_name: str = Field(
        default="",
        description="The name that the agent's certificate has to be for;"
        " else CONSUL_TLS_SERVER_NAME, or the host of the address.",
    )

    def access_settings(self) -> dict[str, object]:
        """Return the settings above that were set, for a ``Ref`` to an offer that has them, too."""
        keys = AccessSettings.model_fields
        given = self.model_dump(include=set(keys), exclude_defaults=True)
        return {name.replace("_", "-"): value for name, value in given.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One agent and the right to ask it; ``tls`` is ``None`` for plain HTTP.

    ``authorization`` is that of a reverse proxy before the agent, ready for its header.
    """

    address: AgentAddress
    token: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)
    datacenter: str = ""
    namespace: str = ""
    tls: ssl.SSLContext | None = None
    tls_server_name: str = ""


def access_of(settings: AccessSettings, environment: Mapping[str, str] = os.environ) -> Access:
    """Read the files and variables that ``settings`` leave things to; settings come first.

    Raises ``ConfigurationError`` where one cannot be used. The token is remembered as a secret.
    """
    address = _agent_address(settings, environment)
    return Access(
        address=address,
        token=_token(settings, environment),
        authorization=_authorization(environment.get("CONSUL_HTTP_AUTH", "")),
        datacenter=settings.datacenter,
        namespace=settings.namespace or environment.get("CONSUL_NAMESPACE", ""),
        tls=_tls(settings, environment) if address.tls else None,
        tls_server_name=settings.tls_server_name
        or environment.get("CONSUL_TLS_SERVER_NAME")
        # A Unix socket has no host, and the check of a certificate needs a name.
        or address.host
        or "localhost",
    )


def _agent_address(settings: AccessSettings, environment: Mapping[str, str]) -> AgentAddress:
    wants_tls = environment.get("CONSUL_HTTP_SSL", "")
    text = settings.address or environment.get("CONSUL_HTTP_ADDR") or DEFAULT
    try:
        address = agent_address(text, tls=wants_tls.lower() in _TRUE)
    except ValueError as error:
        shown = _USER.sub("//[hidden]@", text)  # A password may stand there.
        raise ConfigurationError(
            f"The variable CONSUL_HTTP_ADDR={shown} cannot be used: {error}",
            remedy="Correct it, or name the agent with -o address=.",
        ) from None
    # The consul program would go on in plain text, with a warning, and so send the token.
    if not address.tls and wants_tls and wants_tls.lower() not in (*_TRUE, *_FALSE):
        raise ConfigurationError(
            f"The variable CONSUL_HTTP_SSL={wants_tls} does not say whether to speak TLS with"
            f" Consul at {address}",
            remedy="Set it to true or false.",
        )
    return address


def _authorization(user_and_password: str) -> str:
    if not user_and_password:
        return ""
    user, _, password = user_and_password.partition(":")
    # Bytes of the variable that are not UTF-8 are surrogates here, and become bytes again.
    encoded = base64.b64encode(f"{user}:{password}".encode(errors="surrogateescape")).decode()
    remember(password)
    # Base64 hides nothing: the encoded form is as secret as the password.
    remember(encoded)
    return f"Basic {encoded}"


def _token(settings: AccessSettings, environment: Mapping[str, str]) -> str:
    text = environment.get("CONSUL_HTTP_TOKEN", "").strip()
    # A file before a text, as the consul program does; it takes the text where the file that a
    # variable names is empty.
    if settings.token_file:
        token = _token_in(settings.token_file)
    elif file := environment.get("CONSUL_HTTP_TOKEN_FILE"):
        token = _token_in(Path(file), otherwise=text)
    else:
        token = text
    remember(token)
    if token and not (token.isascii() and token.isprintable()):
        raise ConfigurationError(
            "The ACL token has characters that no token has",
            remedy="Check that the token's file or variable holds the secret id and nothing else.",
        )
    return token


def _token_in(path: Path, *, otherwise: str = "") -> str:
    try:
        with path.expanduser().open("rb") as file:
            token = file.read(_MAX_TOKEN_BYTES).decode("latin-1").strip()
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"The token file {path} could not be read: {tls_words(error)}",
            remedy="Correct -o token-file= or CONSUL_HTTP_TOKEN_FILE, or let this user read it.",
        ) from error
    if not (token := token or otherwise):
        raise ConfigurationError(
            f"The token file {path} is empty",
            remedy="Write the token's secret id into it, or leave the setting out to ask"
            " without a token.",
        )
    return token


def _tls(settings: AccessSettings, environment: Mapping[str, str]) -> ssl.SSLContext:
    authority = settings.ca_file or environment.get("CONSUL_CACERT")
    folder = None if authority else environment.get("CONSUL_CAPATH")
    try:
        context = client_context(
            authority_file=authority,
            authorities=_certificates_below(Path(folder)) if folder else None,
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The CA certificates in {authority or folder} could not be read: {tls_words(error)}",
            remedy="Correct -o ca-file= or CONSUL_CACERT, a file of PEM certificates, or"
            " CONSUL_CAPATH, a folder of such files and nothing else.",
        ) from error
    # Tokens go to the agent, and cookies and private keys come from it: never without a check.
    if environment.get("CONSUL_HTTP_SSL_VERIFY", "").lower() in _FALSE:
        raise ConfigurationError(
            "CONSUL_HTTP_SSL_VERIFY=false turns off the check of the agent's certificate, and so"
            " anybody on the way could read the token and the cookie; Consul was not asked",
            remedy="Take it out, and name what vouches for the agent with -o ca-file= or"
            " CONSUL_CACERT: its CA, or its own certificate.",
        )
    _load_own(context, settings, environment)
    return context


def _certificates_below(folder: Path) -> str:
    """Return the contents of all files below ``folder``; ``OSError`` where there is none.

    OpenSSL would look for files that are named by hashes; the consul program reads them all.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise FileNotFoundError(errno.ENOENT, "there is no file")
    return "\n".join(path.read_text("ascii") for path in files)


def _load_own(
    context: ssl.SSLContext, settings: AccessSettings, environment: Mapping[str, str]
) -> None:
    certificate = settings.client_cert or environment.get("CONSUL_CLIENT_CERT")
    key = settings.client_key or environment.get("CONSUL_CLIENT_KEY")
    if not certificate:
        return
    try:
        load_own_certificate(context, certificate, key)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The client certificate {certificate} could not be used: {tls_words(error)}",
            remedy="Correct -o client-cert= and -o client-key=: PEM files, the key unencrypted.",
        ) from error
