"""One try: what goes over the wire, and what each answer means. A receiver that errs costs a sentence."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from pathlib import Path

import pytest
import trustme
from receiver import receiving

from orchestrator.addresses import Address
from orchestrator.courier import hook, services
from orchestrator.courier.base import Parcel
from orchestrator.courier.couriers import Couriers
from orchestrator.errors import UsageProblem

PARCEL = Parcel("✕ sweep: bad", "✕ sweep: bad\n1 `crm` fails", {"id": "sweep/1", "text": "✕ \ud800"}, "key-1")


async def tried(url: str, ca_file: str | None = None) -> tuple[bool, str, bool, bool]:
    found = await Couriers(ca_file).carry(Address("oncall", url), PARCEL)
    return found.taken, found.said, found.doubtful, found.again


async def test_a_hook_gets_the_document_with_its_key() -> None:
    with receiving() as receiver:
        assert await tried(f"{receiver.url}/hook?token=x%2Fy") == (True, "answered 200", False, False)
    (post,) = receiver.posts
    assert (post.path, post.key, post.document) == ("/hook?token=x%2Fy", "key-1", PARCEL.document)
    assert post.headers["Content-Type"] == "application/json"
    assert "Authorization" not in post.headers


async def test_a_user_in_the_address_is_sent_as_a_header() -> None:
    with receiving() as receiver:
        await tried(receiver.url.replace("//", "//me:secret@"))
    assert receiver.posts[0].headers["Authorization"] == "Basic bWU6c2VjcmV0"


@pytest.mark.parametrize(
    ("status", "doubtful", "again"),
    [
        (301, False, False),
        (307, False, False),
        (400, False, False),
        (404, False, False),
        (410, False, False),
        (429, False, True),
        (500, False, True),
        (502, True, True),
        (503, False, True),
        (504, True, True),
    ],
)
async def test_what_an_answer_means(status: int, doubtful: bool, again: bool) -> None:
    with receiving(lambda _: status) as receiver:
        taken, said, *rest = await tried(receiver.url)
    assert not taken
    assert said.startswith(f"answered {status}")
    assert rest == [doubtful, again]
    assert len(receiver.posts) == 1, "a redirect was followed"


async def test_a_receiver_that_hangs_is_left_and_may_have_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "TRY", 0.05)
    with receiving(lambda _: None) as receiver:
        taken, _, doubtful, again = await tried(receiver.url)
    assert (taken, doubtful, again) == (False, True, True)


async def test_a_receiver_that_is_gone_has_heard_nothing() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert await tried(f"http://127.0.0.1:{port}/hook") == (False, "no connection to it", False, True)


async def test_a_certificate_of_ones_own_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    with receiving(tls=context) as receiver:
        taken, said, doubtful, _ = await tried(receiver.url)
        assert (taken, doubtful) == (False, False)
        assert "--ca-file" in said
        assert (await tried(receiver.url, str(tmp_path / "ca.pem")))[0]


async def test_a_service_gets_the_text() -> None:
    with receiving() as receiver:
        url = receiver.url.replace("http://", "json://") + "/secret-secret-secret"
        assert await tried(url) == (True, "sent", False, False)
    (post,) = receiver.posts
    assert post.document["title"] == "✕ sweep: bad"
    assert post.document["message"] == "1 `crm` fails"


async def test_a_service_that_does_not_take_it_says_nothing_of_the_address(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(lambda _: 500) as receiver:
        url = receiver.url.replace("http://", "json://") + "/secret-secret-secret"
        taken, said, *_ = await tried(url)
    assert not taken
    told = capfd.readouterr()
    assert "secret-secret" not in said + told.out + told.err + caplog.text


def test_a_service_that_nobody_knows_is_told_before() -> None:
    with pytest.raises(UsageProblem, match="no service") as caught:
        Couriers().check(Address("oncall", "nosuchservice://secret-secret"))
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "json://hooks.example.com/secret-secret",
        "form://hooks.example.com/secret-secret",
        "xml://10.0.0.7/secret-secret",
        "gotify://hooks.example.com/secret-secret",
        "ntfy://hooks.example.com/secret-secret",
        "json://127.0.0.1/x,json://hooks.example.com/secret-secret",
    ],
)
def test_a_service_in_clear_is_for_this_machine_only(url: str) -> None:
    with pytest.raises(UsageProblem, match="in clear") as caught:
        Couriers().check(Address("oncall", url))
    scheme = url.rpartition(",")[2].partition("://")[0]
    assert f"{scheme}s://" in str(caught.value.hint)
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:8080/x",
        "json://localhost/x",
        "jsons://hooks.example.com/x",
        "ntfy://topic",
        "slack://TOKENTOKENTOKENTOKEN/B1/Cverysecretsecretone",
        "tgram://123456789:abcdefg_hijklmnop/1",
        "jsons://hooks.example.com/x?redirect=no",
        "syslog://",
    ],
)
def test_what_is_encrypted_or_stays_here_is_taken(url: str) -> None:
    Couriers().check(Address("oncall", url))


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("rsyslog://logs.example.com", "no encrypted form"),
        ("mailtos://user:secret-secret@example.com?mode=insecure", "mailtos://"),
        ("mailtos://user:secret-secret@localhost?smtp=mail.example.com&mode=insecure", "mailtos://"),
    ],
)
def test_what_has_no_encryption_is_for_this_machine_only(url: str, hint: str) -> None:
    with pytest.raises(UsageProblem, match="in clear") as caught:
        Couriers().check(Address("oncall", url))
    assert hint in str(caught.value.hint)
    Couriers().check(Address("oncall", "rsyslog://127.0.0.1"))
    Couriers().check(Address("oncall", "pushme://0123456789abcdef"))


@pytest.mark.parametrize(
    "url",
    [
        "jsons://hooks.example.com/secret-secret?verify=no",
        "mailtos://user:secret-secret@example.com?verify=no",
        "slack://TOKENTOKENTOKENTOKEN/B1/Cverysecretsecretone?verify=no",
        "jsons://127.0.0.1/x,jsons://hooks.example.com/secret-secret?verify=no",
    ],
)
def test_an_address_that_believes_any_certificate_is_refused(url: str) -> None:
    with pytest.raises(UsageProblem, match="certificate") as caught:
        Couriers().check(Address("oncall", url))
    assert "verify=" in str(caught.value.hint)
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"
    Couriers().check(Address("oncall", "jsons://127.0.0.1/x?verify=no"))


def test_an_address_that_has_redirects_followed_is_refused() -> None:
    with pytest.raises(UsageProblem, match="redirects"):
        Couriers().check(Address("oncall", "jsons://hooks.example.com/x?redirect=yes"))


async def test_a_service_is_not_told_elsewhere_than_at_its_address() -> None:
    with receiving(lambda _: 307) as receiver:
        taken, *_ = await tried(receiver.url.replace("http://", "json://") + "/x")
    assert not taken
    assert len(receiver.posts) == 1, "a redirect was followed"


def test_without_the_extra_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageProblem) as caught:
        services.check(Address("oncall", "slack://a/b/c"))
    assert caught.value.hint is not None
    assert "orchestrator[notify]" in caught.value.hint
    Couriers().check(Address("oncall", "https://hooks.example.com/x"))


def test_the_document_is_ascii_on_the_wire() -> None:
    json.dumps(PARCEL.document).encode("ascii")
