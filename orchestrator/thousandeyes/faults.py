"""How far one exchange got, and what its failure therefore means."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from orchestrator.thousandeyes.protocol import GoneIdle, NoAnswer, NotSent, Timeouts, TransportError

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType


CERTIFICATE_HINT = (
    "where a proxy or gateway of your own signs certificates, set TE_CA_FILE (or SSL_CERT_FILE) to the file "
    "with its certificate authority (PEM); REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE are not read"
)


class Twice(Exception):
    """The library may not send the request again; ``Stage.failure`` says what ended it."""


@dataclass(slots=True)
class Stage:
    """How far an exchange got, told by its middleware and by the connector."""

    begun: bool = False
    connected: bool = False
    reused: bool = False
    failure: Exception | None = None

    async def once(
        self, request: aiohttp.ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Client middleware: the library repeats a GET whose reused connection was closed; we do not.

        Each request is counted against a budget before it leaves, so one more that nobody knows of could be
        the one that is refused. (A POST is not repeated by the library, whatever happens.)
        """
        self.begun = True
        try:
            return await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            self.failure = error
        raise Twice


def translate(error: Exception, stage: Stage, what: str, timeouts: Timeouts) -> TransportError:
    """Return our error for a library error. The text has no library text that could contain a header.

    Nothing was sent if the exchange began and no connection was made, or if the error can only come from
    connecting. Without that proof the request counts as taken.
    """
    cause = stage.failure if isinstance(error, Twice) and stage.failure is not None else error
    connecting = isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    unsent = not stage.connected and (stage.begun or connecting)
    # Only what ends a request before its answer has begun goes through ``once``.
    gone = stage.reused and stage.failure is not None
    kind = NotSent if unsent else GoneIdle if gone else NoAnswer
    said = _connecting(cause, timeouts) if unsent else _answering(cause, timeouts)
    problem = kind(f"{what}: {said}")
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        problem.hint = CERTIFICATE_HINT
    return problem


def _connecting(cause: Exception, timeouts: Timeouts) -> str:
    if isinstance(cause, aiohttp.ClientHttpProxyError):
        return f"the proxy refused the connection with status {cause.status}"
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        reason = getattr(cause.certificate_error, "verify_message", "") or "it cannot be verified"
        return f"the certificate of {cause.host}:{cause.port} is not trusted: {reason}"
    if isinstance(cause, aiohttp.ClientConnectorError):
        found = next(said for kind, said in _NO_CONNECTION if isinstance(cause, kind))
        return f"{found} {cause.host}:{cause.port}: {_reason(cause)}"
    if isinstance(cause, TimeoutError):
        return f"no connection within {timeouts.connect:g} s"
    return f"no connection: {type(cause).__name__}"


# The more special first.
_NO_CONNECTION: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientProxyConnectionError, "no connection to the proxy"),
    (aiohttp.ClientConnectorSSLError, "no TLS connection to"),
    (aiohttp.ClientConnectorDNSError, "no address found for"),
    (aiohttp.ClientConnectorError, "no connection to"),
)
_NO_ANSWER: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.SocketTimeoutError, "nothing came for {read:g} s"),
    (TimeoutError, "no complete answer within {total:g} s"),
    (aiohttp.ServerDisconnectedError, "the connection was closed without an answer"),
    (aiohttp.ClientPayloadError, "the answer's body broke off"),
    (aiohttp.ClientResponseError, "what came is not an HTTP answer"),
)


def _answering(cause: Exception, timeouts: Timeouts) -> str:
    for kind, said in _NO_ANSWER:
        if isinstance(cause, kind):
            return said.format(read=timeouts.read, total=timeouts.total)
    if isinstance(cause, OSError):
        return f"the connection broke: {_reason(cause)}"
    return f"the answer was lost: {type(cause).__name__}"


def _reason(cause: OSError) -> str:
    """What the operating system said, without the library's repetition of the address."""
    inner = getattr(cause, "os_error", None) or cause
    number = getattr(inner, "errno", None)
    # TLS and name resolution have numbers of their own.
    own = isinstance(inner, ssl.SSLError | socket.gaierror)
    if isinstance(number, int) and number in errno.errorcode and not own:
        # The event loop's own words for it are "Connect call failed ('127.0.0.1', 9)".
        return os.strerror(number)
    said = getattr(inner, "strerror", None) or getattr(inner, "reason", None)
    return said.strip() if isinstance(said, str) and said.strip() else type(inner).__name__
