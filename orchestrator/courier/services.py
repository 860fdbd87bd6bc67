"""Services that are no web hook of ours: chats, pagers, mail, by the library apprise (extra ``notify``)."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

from orchestrator.addresses import Address, is_this_machine
from orchestrator.courier.base import Parcel, Receipt
from orchestrator.errors import MissingExtra, UsageProblem

if TYPE_CHECKING:
    from apprise import Apprise

# Seconds for one try.
TRY = 10.0
_SILENT = logging.CRITICAL + 1


def check(address: Address) -> None:
    """Raise ``UsageProblem`` where the library is missing, or knows no such service."""
    _service(address)


async def tell(address: Address, parcel: Parcel) -> Receipt:
    """Send the text once. The library waits as it likes, and is left alone after ``TRY`` seconds."""
    loop, service = asyncio.get_running_loop(), _service(address)
    done: asyncio.Future[bool] = loop.create_future()

    def finish(taken: bool) -> None:
        if not done.done():
            done.set_result(taken)

    def work() -> None:
        taken = False
        # A plug-in may raise anything, and what it says may have the address in it.
        with suppress(Exception):
            body = parcel.text.partition("\n")[2] or parcel.text
            taken = bool(service.notify(title=parcel.title, body=body))
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(finish, taken)

    # One that never ends must not keep the process.
    threading.Thread(target=work, name="notice", daemon=True).start()
    try:
        async with asyncio.timeout(TRY):
            taken = await done
    except TimeoutError:
        return Receipt(False, f"not sent within {TRY:g} s", doubtful=True, again=True)
    # Of several receivers behind one address some may have got it.
    return Receipt(True, "sent") if taken else Receipt(False, "the service did not take it", again=True)


def _service(address: Address) -> Apprise:
    # What its parts are deprecated for is for its authors.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, known = _made(address)
    if not known:
        raise UsageProblem(
            f"the address of the channel {address.name!r} is that of no service that is known",
            hint="https://github.com/caronc/apprise/wiki lists them; https:// takes our JSON",
        )
    for service in made:
        _refuse_open(address, service)
    return made


def _refuse_open(address: Address, service: object) -> None:
    """Raise ``UsageProblem`` for a service that would be told in clear over the network, or elsewhere than at
    its address."""
    if getattr(service, "redirects", False):
        raise UsageProblem(
            f"the address of the channel {address.name!r} has redirects followed, to whoever answers there",
            hint="take redirect= out of it",
        )
    host = str(getattr(service, "smtp_host", None) or getattr(service, "host", None) or "")
    if not host or is_this_machine(host):
        return
    if not getattr(service, "verify_certificate", True):
        raise UsageProblem(
            f"the address of the channel {address.name!r} has any certificate believed, so that anybody on "
            "the way could read what is wrong in your network",
            hint="take verify= out of it; REQUESTS_CA_BUNDLE names certificates of your own",
        )
    clear = _in_clear(service)
    if clear is not None:
        raise UsageProblem(
            f"the address of the channel {address.name!r} is a plain one, and what is wrong in your network "
            "would travel in clear",
            hint=f"{clear}; the plain one is for this machine only",
        )


def _in_clear(service: object) -> str | None:
    """What to do instead, for a service that is told in clear; ``None`` for one that is not."""
    if getattr(service, "secure_mode", None) == "insecure":
        return "take mode=insecure out of it, and use mailtos://"
    plain, twin = (getattr(service, name, None) for name in ("protocol", "secure_protocol"))
    if not plain:
        return None
    if not twin:
        # Some schemes name a service that is only ever reached by https.
        by_https = str(getattr(service, "notify_url", "")).startswith("https://")
        return None if by_https else "it has no encrypted form: take another service"
    secure = twin if isinstance(twin, str) else next(iter(twin))
    return None if getattr(service, "secure", True) else f"use {secure}://"


def _made(address: Address) -> tuple[Apprise, bool]:
    """The service, and whether the library knows it."""
    try:
        import apprise  # noqa: PLC0415 - heavy, and only for those who want it
    except ImportError as error:
        raise MissingExtra(f"the service of the channel {address.name!r}", "notify") from error
    log = logging.getLogger("apprise")
    log.setLevel(_SILENT)  # it writes addresses
    log.propagate = False
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, http_redirects=False)
    made = apprise.Apprise(asset=asset)
    return made, bool(made.add(address.url))
