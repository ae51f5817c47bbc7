"""Cookie files as Erlang keeps them, and what bytes make a cookie.

Follows OTP's ``auth.erl``: where the file is looked for, who may read it, where the cookie in it
ends, how a new one looks. Two things differ. Letters beyond ASCII are taken, because remote nodes
may have them (``-setcookie``), while ``auth.erl`` refuses them in a file. And a new cookie comes
from a cryptographic source instead of the clock.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shlex
import stat
import string
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from erlconnect.errors import ConfigurationError, CookieNotFoundError

MAX_COOKIE_CHARACTERS: Final = 255  # a cookie is an atom
# A cookie has 510 bytes of UTF-8 at most, so the rest of a longer file need not be read.
_MAX_FILE_BYTES: Final = 4096
# As auth.erl makes them: 20 letters from A to Z, which are 94 bits from a good source.
_NEW_COOKIE_LETTERS: Final = 20
# The bits that auth.erl refuses: any right of the group or of others.
_FORBIDDEN_MODE: Final = 0o077
# auth.erl: printable characters, then nothing but newlines and spaces.
_CONTENT: Final = re.compile(r"([\x20-\x7e\xa0-\xff]*)[\n\r ]*")


def cookie_text(data: bytes, *, place: str) -> str:
    """Return the characters of the cookie that ``data`` is: UTF-8 if valid, otherwise Latin-1.

    ``place`` names in words where the bytes are from. Raises ``ConfigurationError`` where they
    cannot be a cookie: a character beyond U+00FF, or more than 255 of them.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if max(text, default="") > "\xff":
        raise ConfigurationError(
            f"{place} holds a character that no cookie can have (beyond U+00FF)",
            remedy="Check that it holds the cookie and nothing else.",
        )
    if len(text) > MAX_COOKIE_CHARACTERS:
        raise ConfigurationError(
            f"{place} holds {len(text)} characters; a cookie has {MAX_COOKIE_CHARACTERS} at most",
            remedy="Check that it holds the cookie and nothing else.",
        )
    return text


def read_cookie_file(path: Path) -> str:
    """Return the cookie's characters out of ``path``, as Erlang reads its cookie file.

    Raises ``CookieNotFoundError`` where there is no such file or no cookie in it, and
    ``ConfigurationError`` where others can read it, it cannot be read, or it holds something else.
    """
    place = f"The cookie file {path}"
    try:
        data = _read_private(_expanded(path))
    except FileNotFoundError as error:
        raise CookieNotFoundError(
            f"{place} does not exist",
            remedy="Check the path, or start `erl -sname a` once, which makes ~/.erlang.cookie.",
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"{place} could not be read: {error.strerror}",
            remedy="Let the user that runs erlconnect read it.",
        ) from error
    return _content(data, place)


def _read_private(path: Path) -> bytes:
    # Without O_NONBLOCK, opening a FIFO would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        # The descriptor is checked, not the path: the file could be replaced between the two calls.
        _check_attributes(path, os.fstat(descriptor))
        return os.read(descriptor, _MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def _check_attributes(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(
            f"The cookie file {path} is not a regular file",
            remedy="Name the file itself; for the output of a program use --cookie-from command:.",
        )
    if status.st_mode & _FORBIDDEN_MODE:
        raise ConfigurationError(
            f"The cookie file {path} must be accessible by its owner only"
            f" (its mode is {stat.S_IMODE(status.st_mode):04o})",
            remedy=f"Run: chmod 400 {shlex.quote(str(path))}",
        )
    # Root reads the cookies of daemons, such as RabbitMQ's.
    if os.geteuid() not in (0, status.st_uid):
        raise ConfigurationError(
            f"The cookie file {path} belongs to another user (uid {status.st_uid})",
            remedy="Run erlconnect as that user, or copy the cookie to a file of your own.",
        )


def _content(data: bytes, place: str) -> str:
    # The newline at the end is none of the 255 characters.
    found = _CONTENT.fullmatch(cookie_text(data.rstrip(b"\r\n"), place=place))
    if found is None:
        raise ConfigurationError(
            f"{place} holds more than one line, or characters that no cookie file has",
            remedy="Keep the cookie as the only line in it.",
        )
    if not found[1]:
        raise CookieNotFoundError(
            f"{place} is empty",
            remedy="Write the cookie into it, or remove it so that a new one is made.",
        )
    return found[1]


def local_cookie_file(path: Path | None = None) -> Path:
    """Return the local cookie's file, made now if missing; ``None``: where ``erl`` looks for it.

    Raises ``ConfigurationError`` where it is missing and cannot be made.
    """
    path = local_cookie_place(path)
    if not os.access(path, os.F_OK):
        make_cookie_file(path)
    return path


def local_cookie_place(path: Path | None = None) -> Path:
    """Return where the local cookie's file is, or would be made."""
    return _expanded(path) if path else default_cookie_file()


def default_cookie_file() -> Path:
    """Return the file that ``erl`` would read, or make: in the home, else in its configuration.

    Erlang looks into ``erlang/.erlang.cookie`` of the user's configuration folder since OTP 25.
    """
    in_home = _home() / ".erlang.cookie"
    fallback = _user_configuration() / "erlang" / ".erlang.cookie"
    only_fallback = os.access(fallback, os.F_OK) and not os.access(in_home, os.F_OK)
    return fallback if only_fallback else in_home


def _user_configuration() -> Path:
    """Return the folder that Erlang's ``filename:basedir(user_config, "")`` gives."""
    if sys.platform == "darwin":
        return _home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_CONFIG_HOME") or _home() / ".config")


def _home() -> Path:
    return _expanded(Path("~"))


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigurationError(
            f"{path} names the home directory of a user who has none",
            remedy="Set HOME, or name the cookie file by its whole path.",
        ) from error


def make_cookie_file(path: Path) -> bool:
    """Make ``path`` with a new cookie: 20 upper-case letters, mode 0400.

    Other processes see no file or the whole one. Return ``False`` where another one made it
    meanwhile, which stays as it is. Raises ``ConfigurationError`` where it cannot be made.
    """
    letters = (secrets.choice(string.ascii_uppercase) for _ in range(_NEW_COOKIE_LETTERS))
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        _write_private(draft, "".join(letters).encode())
        # Unlike a rename, a link never replaces a file that somebody else has made meanwhile.
        os.link(draft, path)
    except OSError as error:
        if error.errno == errno.EEXIST:
            return False
        raise ConfigurationError(
            f"The cookie file {path} could not be made: {error.strerror}",
            remedy="Start `erl -sname a` once, which makes ~/.erlang.cookie.",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return True


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)
    try:
        # The umask may have cleared the owner's bit, too.
        os.fchmod(descriptor, 0o400)
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
