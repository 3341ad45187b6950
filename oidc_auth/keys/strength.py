"""Reject public keys that are too weak, too slow or easy to forge."""

from __future__ import annotations

import math
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RSA_MIN_BITS = 2048
"""RFC 7518 §3.3 requires at least 2048 bits for RS256 and its relatives, §3.5 for PS256."""
RSA_MAX_BITS = 16_384
"""Verifying with a larger key takes milliseconds. A provider could block the event loop with it."""
RSA_MAX_EXPONENT = 2**32
"""A large public exponent makes verification slow. NIST and all known providers use 65537."""
RSA_SMALLEST_FACTOR = 752
"""NIST SP 800-89 §5.3.3 requires that no prime below this number divides the modulus."""


class _Curve(NamedTuple):
    prime: int
    d: int
    order_eight: bool


_ED25519_PRIME = 2**255 - 19
_CURVES = {
    # By the length of an encoded point. The cofactor is 8 (RFC 8032 §5.1) or 4 (§5.2).
    32: _Curve(_ED25519_PRIME, -121_665 * pow(121_666, -1, _ED25519_PRIME), order_eight=True),
    57: _Curve(2**448 - 2**224 - 1, -39_081, order_eight=False),
}


def find_weakness(key: object) -> str | None:
    """Return why a public key is too weak to use, or None."""
    if isinstance(key, RSAPublicKey):
        return _rsa_weakness(key)
    if isinstance(key, Ed25519PublicKey | Ed448PublicKey):
        return edwards_weakness(key.public_bytes_raw())
    # cryptography rejects points that are not on P-256, P-384 or P-521. These curves have no points of small order.
    return None


def _product_of_small_primes() -> int:
    primes = (n for n in range(2, RSA_SMALLEST_FACTOR) if all(n % divisor for divisor in range(2, math.isqrt(n) + 1)))
    return math.prod(primes)


_SMALL_PRIMES = _product_of_small_primes()


def _rsa_weakness(key: RSAPublicKey) -> str | None:
    if not RSA_MIN_BITS <= key.key_size <= RSA_MAX_BITS:
        return f"RSA with {key.key_size} bits; {RSA_MIN_BITS} to {RSA_MAX_BITS} are accepted"
    # cryptography itself rejects an even exponent, and 1.
    numbers = key.public_numbers()
    if numbers.e > RSA_MAX_EXPONENT:
        return f"RSA with a public exponent over {RSA_MAX_EXPONENT}"
    # cryptography accepts an even modulus, for example. A full primality check would take too long.
    if math.gcd(numbers.n, _SMALL_PRIMES) != 1:
        return "RSA with a modulus that is easy to factor"
    return None


def edwards_weakness(encoded: bytes) -> str | None:
    """Return why an encoded Edwards point is not a safe public key, or None.

    Verification (RFC 8032 §5.1.7, §5.2.7) checks [S]B = R + [k]A. If A has a small order, [k]A takes at most eight
    values, so S = 0 and a small R fit without a private key. OpenSSL does not check this. libsodium does, and NIST
    SP 800-186, appendix D, requires it (public key validation).
    """
    curve = _CURVES[len(encoded)]
    # The highest bit is the sign of x.
    y = int.from_bytes(encoded, "little") % (1 << (8 * len(encoded) - 1))
    if y >= curve.prime:
        # RFC 8032 §5.1.3 and §5.2.3, step 1. OpenSSL reduces y, so one point would have two encodings.
        return "its point is not in canonical form"
    return "its point has a small order: anyone could sign with it" if _has_small_order(y, curve) else None


def _has_small_order(y: int, curve: _Curve) -> bool:
    # The sign of x makes no difference. (0, 1) has order 1, (0, -1) has order 2, points with y = 0 have order 4.
    if y in (0, 1, curve.prime - 1):
        return True
    # Twice a point of order 8 has y = 0. With the doubling formula of edwards25519 (RFC 8032 §5.1.4) that is
    # x^2 = -y^2, and with the equation of the curve, -x^2 + y^2 = 1 + d x^2 y^2, it is d y^4 + 2 y^2 = 1.
    return curve.order_eight and (curve.d * y**4 + 2 * y**2 - 1) % curve.prime == 0
