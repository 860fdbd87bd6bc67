"""Whether a request comes from somebody who knows the secret. Every comparison takes as long for a wrong
proof."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence

from orchestrator.alerts.values import Proof, Received, Way

# A header with more signatures is none of anybody who means well.
_MOST_SIGNATURES = 10


def stranger(proof: Proof, secrets: Sequence[bytes], received: Received) -> str | None:
    """Why the sender cannot be believed, by the headers alone, before its body is read; ``None`` if it can.

    A signature that is there may be right: :func:`refusal` verifies it with the body.
    """
    said = received.headers.get(proof.header.lower(), ())
    if proof.way is Way.HMAC and secrets and len(said) == 1 and _given(proof, said[0]):
        return None
    return refusal(proof, secrets, received)


def refusal(proof: Proof, secrets: Sequence[bytes], received: Received) -> str | None:
    """Why the sender is not believed, for the log; ``None`` if it is. ``secrets`` are the resolved ones."""
    said = received.headers.get(proof.header.lower(), ())
    if not secrets:
        return "the hook has no secret"
    if len(said) != 1:
        return f"no header {proof.header}" if not said else f"{proof.header} was sent {len(said)} times"
    given = _given(proof, said[0])
    if not given:
        return f"{proof.header} holds no proof of this kind"
    if proof.way is Way.HMAC:
        wanted: Iterable[bytes] = (
            hmac.new(secret, received.body, hashlib.sha256).hexdigest().encode() for secret in secrets
        )
    else:
        wanted = secrets
    # All of them, whichever is right: how long it takes says nothing.
    right = [hmac.compare_digest(one, other) for other in wanted for one in given]
    return None if any(right) else f"the proof in {proof.header} is wrong"


def _given(proof: Proof, said: str) -> list[bytes]:
    """What the header claims, in bytes; nothing if it is not of this way."""
    if proof.way is Way.HEADER:
        return [_bytes(said.strip())]
    if proof.way is Way.HMAC:
        parts = [part.strip() for part in said.split(",")][:_MOST_SIGNATURES]
        return [
            _bytes(part.removeprefix(proof.prefix).lower()) for part in parts if part.startswith(proof.prefix)
        ]
    kind, _, rest = said.partition(" ")
    if kind.lower() != proof.way.value:
        return []
    if proof.way is Way.BEARER:
        return [_bytes(rest.strip())]
    try:
        _, sign, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return []
    return [password] if sign else []


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
