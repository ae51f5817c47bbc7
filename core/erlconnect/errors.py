"""The errors that a user may see: one class for each cause.

Each class carries the exit code and the stable cause word that scripts rely on; each instance
says what was tried and what came back (``message``) and what to do next (``remedy``).
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """The exit codes of the command line, after BSD's ``sysexits.h`` where one fits."""

    DONE = 0
    BUG = 1
    # Click's own code for a usage error, where sysexits.h has 64.
    USAGE = 2
    # EX_UNAVAILABLE, EX_SOFTWARE, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM and EX_CONFIG.
    UNAVAILABLE = 69
    CALL_FAILED = 70
    # Something did not answer in time: a script may run the command once more.
    TRY_AGAIN = 75
    NOT_DISTRIBUTION = 76
    REFUSED = 77
    CONFIGURATION = 78
    # What a shell reports for a process that SIGINT has ended: 128 + 2.
    INTERRUPTED = 130


class ErlconnectError(Exception):
    """Base of all errors with a cause, an exit code and a remedy."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    cause: ClassVar[str] = "bug"

    # Only by keyword, so that no error is raised with the two texts exchanged.
    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(ErlconnectError):
    """The command line does not make sense as it stands."""

    exit_code = ExitCode.USAGE
    cause = "usage"


class UnknownSettingError(UsageError):
    """An ``-o`` key that the chosen offer does not have, or a value it cannot take."""

    cause = "unknown-setting"


class SeveralNodesError(UsageError):
    """Several nodes fit and none was chosen."""

    cause = "several-nodes"


class NoNodeFoundError(ErlconnectError):
    """The lookup worked and its answer holds no usable node."""

    exit_code = ExitCode.UNAVAILABLE
    cause = "no-node-found"


class NameNotFoundError(NoNodeFoundError):
    """The directory that was asked says that this name does not exist (NXDOMAIN and the like)."""

    cause = "name-not-found"


# Apart from NoNodeFoundError: while a directory is down, nothing is known of its nodes.
class LookupFailedError(ErlconnectError):
    """The directory could not answer; this says nothing about the nodes."""

    exit_code = ExitCode.UNAVAILABLE
    cause = "lookup-failed"


class LookupTimeoutError(LookupFailedError):
    """The directory did not answer in time."""

    exit_code = ExitCode.TRY_AGAIN
    cause = "lookup-timeout"


class UnreachableError(ErlconnectError):
    """An address or port of the node could not be reached."""

    exit_code = ExitCode.UNAVAILABLE
    cause = "unreachable"


class EpmdError(UnreachableError):
    """An epmd, local or remote, could not be used."""

    cause = "epmd"


class TimedOutError(ErlconnectError):
    """The connection was accepted, and then no answer came in time."""

    exit_code = ExitCode.TRY_AGAIN
    cause = "timed-out"


class NotDistributionError(ErlconnectError):
    """The peer answered, but not in the Erlang distribution protocol."""

    exit_code = ExitCode.NOT_DISTRIBUTION
    cause = "not-distribution"


class LocalNodeError(NotDistributionError):
    """What connected to the alias is no node, or gave up in the middle of the handshake."""

    cause = "local-node"


class RefusedError(ErlconnectError):
    """The peer understood the request and refused it."""

    exit_code = ExitCode.REFUSED
    cause = "refused"


class NotAllowedError(RefusedError):
    """The remote node answered the name with ``not_allowed``."""

    cause = "not-allowed"


class NameInUseError(RefusedError):
    """The remote node answered ``nok`` or ``alive``: a connection under this name exists."""

    cause = "name-in-use"


class AnotherNodeError(RefusedError):
    """At the target's address a node of another name answers now; nothing was sent to it."""

    cause = "another-node"


class RemoteCookieError(RefusedError):
    """The remote node rejected the cookie, or proved to know another one."""

    cause = "remote-cookie-rejected"


class LocalCookieError(RefusedError):
    """The local node does not know the local cookie; nothing was sent to the remote node."""

    cause = "local-cookie-wrong"


class CookieNotFoundError(RefusedError):
    """No cookie source has a cookie for the node."""

    cause = "cookie-not-found"


class RemoteCallError(ErlconnectError):
    """The remote call raised, exited, or returned an error where that was asked for."""

    exit_code = ExitCode.CALL_FAILED
    cause = "call-failed"


class AnswerTooLargeError(RemoteCallError):
    """The answer to a remote call is larger than what is taken."""

    cause = "answer-too-large"


class ConfigurationError(ErlconnectError):
    """A file, a variable or the installation is not usable."""

    exit_code = ExitCode.CONFIGURATION
    cause = "configuration"


class UnknownProfileError(ConfigurationError):
    """No configuration file has a profile of this name."""

    cause = "unknown-profile"


class UntrustedFileError(ConfigurationError):
    """The project's file decides things for which nobody has trusted it yet."""

    cause = "untrusted-file"


class MissingExtraError(ConfigurationError):
    """A plugin needs a library that is not installed."""

    cause = "missing-extra"


class UnknownPluginError(ConfigurationError):
    """Nothing that is installed offers this name."""

    cause = "unknown-plugin"


class PluginError(ConfigurationError):
    """An installed plugin is broken, or its name is not its own."""

    cause = "plugin"


class InterruptedByUserError(ErlconnectError):
    """Ctrl-C, or an answer of no to a question."""

    exit_code = ExitCode.INTERRUPTED
    cause = "interrupted"
