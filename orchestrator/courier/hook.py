"""A web hook: one POST of a JSON document. It goes to the address and nowhere else: no redirect is followed.

The library's own words are not repeated, because they have the address in them.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from orchestrator.addresses import Address
from orchestrator.courier.base import Parcel, Receipt
from orchestrator.errors import UsageProblem
from orchestrator.thousandeyes.proxy import proxy_for

# Seconds for one try.
TRY = 10.0
# These and all from 500 on may pass by themselves.
_PASSING = frozenset({408, 425, 429})
# A gateway that lost the answer: whether the receiver took it is not known.
_LOST = frozenset({502, 504})


def tls_of(ca_file: str | None) -> ssl.SSLContext:
    """What the system trusts, and the certificate authorities of a file. Raises ``UsageProblem``."""
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise UsageProblem(f"the certificates of --ca-file (TE_CA_FILE) cannot be used: {said}") from None
    return context


async def post(
    address: Address, parcel: Parcel, *, ca_file: str | None, environ: Mapping[str, str] = os.environ
) -> Receipt:
    """Send the document once."""
    parts = urlsplit(address.url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port is None else f":{parts.port}"
    proxy = proxy_for(f"{parts.scheme.lower()}://{host}{port}", environ)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "orchestrator",
        "Idempotency-Key": parcel.key,
    }
    body = json.dumps(parcel.document, allow_nan=False, separators=(",", ":")).encode("ascii")
    try:
        url, login = _apart(address.url)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, ssl=tls_of(ca_file)),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TRY),
                trust_env=False,
            ) as session,
            session.post(
                url,
                data=body,
                headers=headers if login is None else {**headers, "Authorization": login},
                allow_redirects=False,
                proxy=None if proxy is None else proxy.url,
                proxy_auth=None
                if proxy is None or proxy.user is None
                else aiohttp.BasicAuth(proxy.user, proxy.password or ""),
            ) as response,
        ):
            return answered(response.status)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Receipt(False, _unconnected(error), again=True)
    except TimeoutError:
        return Receipt(False, f"no answer within {TRY:g} s", doubtful=True, again=True)
    except (aiohttp.ClientError, OSError) as error:
        return Receipt(False, f"the connection broke off ({type(error).__name__})", doubtful=True, again=True)
    except ValueError:
        return Receipt(False, "its address cannot be used")


def answered(status: int) -> Receipt:
    """What a status means."""
    if 200 <= status < 300:
        return Receipt(True, f"answered {status}")
    if 300 <= status < 400:
        return Receipt(False, f"answered {status}: a redirect, which is not followed")
    again = status >= 500 or status in _PASSING
    return Receipt(False, f"answered {status}", doubtful=status in _LOST, again=again)


def _unconnected(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host name is not known"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate cannot be trusted (--ca-file names certificates to trust too)"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no encrypted connection to it"
    return "no connection to it"


def _apart(address: str) -> tuple[URL, str | None]:
    """The address without its user, and the header that this one means."""
    url = URL(address, encoded=True)
    if url.user is None:
        return url, None
    login = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode("ascii")
    return url.with_user(None), f"Basic {login}"
