"""A sender is believed if it knows the secret, and for nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.alerts.proof import refusal
from orchestrator.alerts.values import Proof, Received, Way

SECRET, OTHER = b"correct horse battery staple", b"the one before"
BODY = b'{"target":"https://shop.example.com"}'
BEARER, BASIC = Proof(Way.BEARER), Proof(Way.BASIC)
HEADER = Proof(Way.HEADER, "X-Hook-Secret")
HMAC = Proof(Way.HMAC, "X-PagerDuty-Signature", "v1=")


def _signed(secret: bytes, body: bytes = BODY) -> str:
    return "v1=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def _basic(text: bytes) -> str:
    return f"Basic {base64.b64encode(text).decode()}"


def _why(proof: Proof, *said: str, body: bytes = BODY) -> str | None:
    received = Received({proof.header.lower(): said} if said else {}, body)
    return refusal(proof, [SECRET, OTHER], received)


@pytest.mark.parametrize("secret", [SECRET, OTHER], ids=["now", "before"])
def test_each_way_proves_a_sender_and_any_of_its_secrets_will_do(secret: bytes) -> None:
    text = secret.decode()
    assert _why(BEARER, f"Bearer {text}") is None
    assert _why(BEARER, f"bearer {text}") is None
    assert _why(BASIC, _basic(b"anybody:" + secret)) is None
    assert _why(HEADER, text) is None
    assert _why(HMAC, _signed(secret)) is None
    assert _why(HMAC, f"v0=00, {_signed(secret)},v1=ff") is None
    assert _why(HMAC, _signed(secret).upper().replace("V1", "v1")) is None


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        (BEARER, ""), (BEARER, "Bearer"), (BEARER, "Bearer "), (BEARER, "Bearer wrong"),
        (BEARER, SECRET.decode()),
        (BEARER, _basic(b"a:" + SECRET)), (BEARER, "Bearer \udcff"), (BASIC, f"Bearer {SECRET.decode()}"),
        (BASIC, "Basic ====="), (BASIC, _basic(SECRET)), (BASIC, _basic(SECRET + b":")), (BASIC, "Basic"),
        (HEADER, ""), (HEADER, SECRET.decode() + "x"), (HEADER, SECRET.decode()[:-1]), (HEADER, "\u20ac"),
        (HMAC, ""), (HMAC, "v1="), (HMAC, _signed(b"wrong")), (HMAC, _signed(SECRET)[3:]),
        (HMAC, _signed(SECRET, BODY + b" ")), (HMAC, "v1=" + _signed(SECRET)),
        (HMAC, ",".join([f"v1={n:064x}" for n in range(20)] + [_signed(SECRET)])),
    ],
)  # fmt: skip
def test_anything_else_is_refused(proof: Proof, said: str) -> None:
    why = _why(proof, said)
    assert why is not None
    assert SECRET.decode() not in why


@pytest.mark.parametrize("proof", [BEARER, BASIC, HEADER, HMAC], ids=lambda proof: proof.way.value)
def test_no_proof_two_proofs_and_no_secret_are_refused(proof: Proof) -> None:
    assert _why(proof) is not None
    assert _why(proof, _signed(SECRET), _signed(SECRET)) is not None
    assert refusal(proof, [], Received({proof.header.lower(): [""]}, BODY)) == "the hook has no secret"


@given(st.binary(max_size=200), st.text(max_size=100))
def test_a_signature_of_one_body_is_none_of_another(body: bytes, noise: str) -> None:
    assert _why(HMAC, _signed(SECRET, body), body=body) is None
    assert _why(HMAC, _signed(SECRET, body), body=body + b"x") is not None
    assert _why(HMAC, noise, body=body) is not None
