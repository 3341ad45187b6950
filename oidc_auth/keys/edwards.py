"""Which points of edwards25519 and edwards448 are no public keys (RFC 8032 §5.1, §5.2)."""

from __future__ import annotations

from typing import NamedTuple


class _Curve(NamedTuple):
    prime: int
    d: int
    order_eight: bool


_ED25519_PRIME = 2**255 - 19
_CURVES = {
    # By the length of an encoded point: a cofactor of 8 (RFC 8032 §5.1) and one of 4 (§5.2).
    32: _Curve(_ED25519_PRIME, -121_665 * pow(121_666, -1, _ED25519_PRIME), order_eight=True),
    57: _Curve(2**448 - 2**224 - 1, -39_081, order_eight=False),
}


def refused_point(encoded: bytes) -> str | None:
    """Return why an encoded point is no public key, or None.

    Verification (RFC 8032 §5.1.7, §5.2.7) checks [S]B = R + [k]A. If A has a small order, [k]A takes at most eight
    values, so that S = 0 and a small R fit without a private key. OpenSSL does not check this. libsodium does, and NIST
    SP 800-186, appendix D, asks for it (public key validation).
    """
    curve = _CURVES[len(encoded)]
    # The highest bit is the sign of x.
    y = int.from_bytes(encoded, "little") % (1 << (8 * len(encoded) - 1))
    if y >= curve.prime:
        # RFC 8032 §5.1.3 and §5.2.3, step 1. OpenSSL reduces y, so that one point would have two spellings.
        return "its point is not in canonical form"
    return "its point has a small order: anybody could sign with it" if _has_small_order(y, curve) else None


def _has_small_order(y: int, curve: _Curve) -> bool:
    """Tell whether a point's order divides the cofactor; the sign of x makes no difference."""
    # (0, 1) has order 1, (0, -1) has order 2, and the points with y = 0 have order 4.
    if y in (0, 1, curve.prime - 1):
        return True
    # Twice a point of order 8 has y = 0. With the doubling formula of edwards25519 (RFC 8032 §5.1.4) that is
    # x^2 = -y^2, and with the equation of the curve, -x^2 + y^2 = 1 + d x^2 y^2, it is d y^4 + 2 y^2 = 1.
    return curve.order_eight and (curve.d * y**4 + 2 * y**2 - 1) % curve.prime == 0
