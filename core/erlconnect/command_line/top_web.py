"""``top --web``: the same screen in a browser, on loopback, for those who have its URL."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import shlex
import signal
import socket
import sys
from typing import TYPE_CHECKING, Any, Final

from erlconnect.command_line.output import print_text
from erlconnect.errors import MissingExtraError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

try:
    from aiohttp import web
    from textual_serve.server import Server
except ImportError:
    raise MissingExtraError(
        "top --web needs the library textual-serve, which is not installed",
        remedy="Install it: `pip install 'erlconnect[top]'`.",
    ) from None
_COOKIE: Final = "erlconnect-top"
_HOST: Final = "127.0.0.1"
_HEADERS: Final = {
    "Referrer-Policy": "no-referrer",
    # The page of textual-serve asks a font of another host, which need not know of it.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: blob:; connect-src 'self' "
    "ws://127.0.0.1:*",
}


def serve(port: int, words: Sequence[str]) -> None:
    """Serve the screen of ``erlconnect`` with the arguments ``words`` until Ctrl-C; print its URL.

    Each browser window has a process of its own, with its own connection to the node.
    """
    command = shlex.join([sys.executable, "-m", "erlconnect", *without_web(words)])
    _Server(command, _bound(port), secrets.token_urlsafe(24)).serve()


def without_web(words: Sequence[str]) -> list[str]:
    """Return the words of a command line without ``--web`` and its port."""
    kept: list[str] = []
    before = ""
    for word in words:
        is_port = before == "--web" and word.isdigit()
        if not (is_port or word == "--web" or word.startswith("--web=")):
            kept.append(word)
        before = word
    return kept


def _bound(port: int) -> socket.socket:
    """Return a socket bound to ``port``, or to a free one for 0.

    Raises ``UnreachableError`` where the port is taken.
    """
    listener = socket.socket()
    # A connection in TIME_WAIT must not make the port look taken.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as error:
        listener.close()
        raise UnreachableError(
            f"the port {port} cannot be listened on: {error.strerror}",
            remedy="Name another one behind `--web`, or none, to take a free one.",
        ) from error
    return listener


class _Server(Server):
    def __init__(self, command: str, listener: socket.socket, token: str) -> None:
        super().__init__(
            command, host=_HOST, port=listener.getsockname()[1], title="erlconnect top"
        )
        self._listener = listener
        self._token = token

    async def on_startup(self, app: web.Application) -> None:
        """Print nothing: the port is not listened on yet, and stdout is for the URL alone."""

    def serve(self, debug: bool = False) -> None:
        """Serve until Ctrl-C; print the URL once the port is listened on."""
        self.debug = debug
        loop = asyncio.new_event_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.request_exit)
        web.run_app(
            self._make_app(),
            sock=self._listener,
            handle_signals=False,
            loop=loop,
            # It is called when the port is listened on; a startup hook runs before that.
            print=lambda *_: print_text(f"{self.public_url}/?token={self._token}"),
        )

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._only_with_token)
        return app

    @web.middleware
    async def _only_with_token(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]
    ) -> web.StreamResponse:
        """Let through who has the token: first in the URL, from then on as a cookie.

        A page of another site has neither: it cannot read the URL, and the cookie is not sent.
        """
        given = request.query.get("token") or request.cookies.get(_COOKIE, "")
        # In constant time: the duration must not depend on how much of a guess is right.
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise web.HTTPForbidden(text="The URL with its token was printed by erlconnect top.\n")
        response: web.StreamResponse = await handler(request)
        # Headers of a WebSocket's answer have been sent already and cannot be changed.
        if not response.prepared:
            response.set_cookie(_COOKIE, self._token, httponly=True, samesite="Strict", path="/")
            response.headers.update(_HEADERS)
        return response
