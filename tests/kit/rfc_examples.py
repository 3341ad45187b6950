"""Examples of the RFCs: keys, tokens and signatures, digit for digit.

RFC 7515 appendix A, RFC 7520 section 4, RFC 8037 appendix A.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Jwk = dict[str, Any]


# RFC 7515: JSON Web Signature, appendix A -----------------------------------------------------------------------------

JOE = b'{"iss":"joe",\r\n "exp":1300819380,\r\n "http://example.com/is_root":true}'
JOE_EXPIRES = 1_300_819_380
JOE_SEGMENT = (
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"  # A.1, A.2, A.3
)

RFC7515_A1_KEY: Jwk = {
    "kty": "oct",
    "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
}
RFC7515_A1_HEADER = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
RFC7515_A1_SIGNATURE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

RFC7515_A2_KEY: Jwk = {
    "kty": "RSA",
    "n": (
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2l"
        "ZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa"
        "2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAc"
        "DTW9gb54h4FRWyuXpoQ"
    ),
    "e": "AQAB",
}
RFC7515_A2_PRIVATE = (
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-"
    "pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjud"
    "U2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1"
    "DhOVRuOopznQ"
)
RFC7515_A2_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr"
    "7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x"
    "i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_Ioy"
    "pGlUPQGe77Rw"
)

RFC7515_A3_KEY: Jwk = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
RFC7515_A3_PRIVATE = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
RFC7515_A3_SIGNATURE = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

RFC7515_A4_KEY: Jwk = {
    "kty": "EC",
    "crv": "P-521",
    "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
}
RFC7515_A4_PRIVATE = "AY5pb7A0UFiB3RELSD64fTLOSV_jazdF7fLYyuTw8lOfRhWg6Y6rUrPAxerEzgdRhajnu0ferB0d53vM9mE15j2C"
RFC7515_A4_SIGNATURE = (
    "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJ"
    "ZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
)

RFC7515_A5 = f"eyJhbGciOiJub25lIn0.{JOE_SEGMENT}."

RFC7515_A6: tuple[dict[str, Any], ...] = (
    {"protected": "eyJhbGciOiJSUzI1NiJ9", "header": {"kid": "2010-12-29"}, "signature": RFC7515_A2_SIGNATURE},
    {
        "protected": "eyJhbGciOiJFUzI1NiJ9",
        "header": {"kid": "e9bc097a-ce51-4036-9562-d2ade882db0d"},
        "signature": RFC7515_A3_SIGNATURE,
    },
)

# RFC 7520: the JOSE cookbook, section 4 -------------------------------------------------------------------------------

FRODO = (
    "It\u2019s a dangerous business, Frodo, going out your door. You step onto the road, and if you don't keep your "
    "feet, there\u2019s no knowing where you might be swept off to."
).encode()
FRODO_SEGMENT = (
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW"
    "5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0"
    "by4"
)
BILBO = "bilbo.baggins@hobbiton.example"
HMAC_KID = "018c0ae5-4d9b-471b-bfd6-eef314bc7037"

RFC7520_31_KEY: Jwk = {
    "kty": "EC",
    "kid": BILBO,
    "use": "sig",
    "crv": "P-521",
    "x": "AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt",
    "y": "AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1",
}
RFC7520_32_PRIVATE = "AAhRON2r9cqXX1hg-RoI6R1tX5p2rUAYdmpHZoC1XNM56KtscrX6zbKipQrCW9CGZH3T4ubpnoTKLDYJ_fF3_rJt"
RFC7520_33_KEY: Jwk = {
    "kty": "RSA",
    "kid": BILBO,
    "use": "sig",
    "n": (
        "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2"
        "wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9b"
        "TwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz"
        "5iaiQkqgc5gHdrNP5zw"
    ),
    "e": "AQAB",
}
RFC7520_34_PRIVATE = (
    "bWUC9B-EFRIo8kpGfh0ZuyGPvMNKvYWNtB_ikiH9k20eT-O1q_I78eiZkpXxXQ0UTEs2LsNRS-8uJbvQ-A1irkwMSMkK1J3XTGgdrhCku9gRld"
    "Y7sNA_AKZGh-Q661_42rINLRCe8W-nZ34ui_qOfkLnK9QWDDqpaIsA-bMwWWSDFu2MUBYwkHTMEzLYGqOe04noqeq1hExBTHBOBdkMXiuFhUq1"
    "BU6l-DqEiWxqg82sXt2h-LMnT3046AOYJoRioz75tSUQfGCshWTBnP5uDjd18kKhyv07lhfSJdrPdM5Plyl21hsFf4L_mHCuoFau7gdsPfHPxx"
    "jVOcOpBrQzwQ"
)
RFC7520_35_KEY: Jwk = {
    "kty": "oct",
    "kid": HMAC_KID,
    "use": "sig",
    "alg": "HS256",
    "k": "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
}

RFC7520_41_HEADER = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
RFC7520_41_SIGNATURE = (
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoB"
    "wA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0"
    "ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vj"
    "bU5y18kDquDg"
)
RFC7520_42_HEADER = "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
RFC7520_42_SIGNATURE = (
    "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPp"
    "cbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lf"
    "JT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifK"
    "o8DYM-X72Eaw"
)
RFC7520_43_HEADER = "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
RFC7520_43_SIGNATURE = (
    "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMD"
    "xXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"
)
RFC7520_44_HEADER = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9"
RFC7520_44_SIGNATURE = "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"
RFC7520_45 = f"{RFC7520_44_HEADER}..{RFC7520_44_SIGNATURE}"
RFC7520_46_SIGNATURE = "bWUSVaxorn7bEF1djytBd0kHv70Ly5pvbomzMWSOr20"
RFC7520_47_SIGNATURE = "xuLifqLGiblpv9zBpuZczWhNj1gARaLV3UxvxhJxZuk"
RFC7520_48_RSA_SIGNATURE = (
    "MIsjqtVlOpa71KE-Mss8_Nq2YH4FGhiocsqrgi5NvyG53uoimic1tcMdSg-qptrzZc7CG6Svw2Y13TDIqHzTUrL_lR2ZFcryNFiHkSw129EghG"
    "pwkpxaTn_THJTCglNbADko1MZBCdwzJxwqZc-1RlpO2HibUYyXSwO97BSe0_evZKdjvvKSgsIqjytKSeAMbhMBdMma622_BG5t4sdbuCHtFjp9"
    "iJmkio47AIwqkZV1aIZsv33uPUqBBCXbYoQJwt7mxPftHmNlGoOSMxR_3thmXTCm4US-xiNOyhbm8afKK64jU6_TPtQHiJeQJxz9G3Tx-083B7"
    "45_AfYOnlC9w"
)
RFC7520_48_EC_SIGNATURE = (
    "ARcVLnaJJaUWG8fG-8t5BREVAuTY8n8YHjwDO1muhcdCoFZFFjfISu0Cdkn9Ybdlmi54ho0x924DUz8sK7ZXkhc7AFM8ObLfTvNCrqcI3Jkl2U"
    "5IX3utNhODH6v7xgy1Qahsn0fyb4zSAkje8bAWz4vIfj5pCMYxxm4fgV3q7ZYhm5eD"
)


RFC7520_46_HEADER = "eyJhbGciOiJIUzI1NiJ9"
RFC7520_48: tuple[dict[str, Any], ...] = (
    {"protected": "eyJhbGciOiJSUzI1NiJ9", "header": {"kid": BILBO}, "signature": RFC7520_48_RSA_SIGNATURE},
    {"header": {"alg": "ES512", "kid": BILBO}, "signature": RFC7520_48_EC_SIGNATURE},
    {"protected": RFC7520_44_HEADER, "signature": RFC7520_44_SIGNATURE},
)

# RFC 8037: Ed25519, appendix A ----------------------------------------------------------------------------------------

RFC8037_A2_KEY: Jwk = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC8037_A1_PRIVATE = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC8037_A4_SIGNATURE = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
RFC8037_A6_KEY: Jwk = {
    "kty": "OKP",
    "crv": "X25519",
    "kid": "Bob",
    "x": "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08",
}


class Example(NamedTuple):
    """A compact JWS that an RFC prints, with its key and what it says."""

    algorithm: str
    key: Jwk
    header: str
    payload: str
    signature: str
    says: bytes

    @property
    def compact(self) -> str:
        return f"{self.header}.{self.payload}.{self.signature}"


SIGNED = {
    "RFC 7515 A.2": Example("RS256", RFC7515_A2_KEY, "eyJhbGciOiJSUzI1NiJ9", JOE_SEGMENT, RFC7515_A2_SIGNATURE, JOE),
    "RFC 7515 A.3": Example("ES256", RFC7515_A3_KEY, "eyJhbGciOiJFUzI1NiJ9", JOE_SEGMENT, RFC7515_A3_SIGNATURE, JOE),
    "RFC 7515 A.4": Example(
        "ES512", RFC7515_A4_KEY, "eyJhbGciOiJFUzUxMiJ9", "UGF5bG9hZA", RFC7515_A4_SIGNATURE, b"Payload"
    ),
    "RFC 7520 4.1": Example("RS256", RFC7520_33_KEY, RFC7520_41_HEADER, FRODO_SEGMENT, RFC7520_41_SIGNATURE, FRODO),
    "RFC 7520 4.2": Example("PS384", RFC7520_33_KEY, RFC7520_42_HEADER, FRODO_SEGMENT, RFC7520_42_SIGNATURE, FRODO),
    "RFC 7520 4.3": Example("ES512", RFC7520_31_KEY, RFC7520_43_HEADER, FRODO_SEGMENT, RFC7520_43_SIGNATURE, FRODO),
    "RFC 8037 A.4": Example(
        "EdDSA",
        RFC8037_A2_KEY,
        "eyJhbGciOiJFZERTQSJ9",
        "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        RFC8037_A4_SIGNATURE,
        b"Example of Ed25519 signing",
    ),
}
JWTS = {name: SIGNED[name] for name in ("RFC 7515 A.2", "RFC 7515 A.3")}
"""The examples with a claim set as payload."""
COOKBOOK = {name: SIGNED[name] for name in ("RFC 7520 4.1", "RFC 7520 4.2", "RFC 7520 4.3")}
UNPROTECTED = {
    "RFC 7520 4.8, RSA": Example(
        "RS256", RFC7520_33_KEY, "eyJhbGciOiJSUzI1NiJ9", FRODO_SEGMENT, RFC7520_48_RSA_SIGNATURE, FRODO
    ),
    "RFC 7520 4.8, EC": Example("ES512", RFC7520_31_KEY, "", FRODO_SEGMENT, RFC7520_48_EC_SIGNATURE, FRODO),
}
"""The examples with an unsigned or partly signed header."""
MACS = {
    "RFC 7515 A.1": Example("HS256", RFC7515_A1_KEY, RFC7515_A1_HEADER, JOE_SEGMENT, RFC7515_A1_SIGNATURE, JOE),
    "RFC 7520 4.4": Example("HS256", RFC7520_35_KEY, RFC7520_44_HEADER, FRODO_SEGMENT, RFC7520_44_SIGNATURE, FRODO),
    "RFC 7520 4.6": Example("HS256", RFC7520_35_KEY, RFC7520_46_HEADER, FRODO_SEGMENT, RFC7520_46_SIGNATURE, FRODO),
    "RFC 7520 4.7": Example("HS256", RFC7520_35_KEY, "", FRODO_SEGMENT, RFC7520_47_SIGNATURE, FRODO),
}


def general(payload: str, *signatures: dict[str, Any]) -> dict[str, Any]:
    return {"payload": payload, "signatures": list(signatures)}


def flattened(payload: str, signature: dict[str, Any]) -> dict[str, Any]:
    return {"payload": payload, **signature}


FORMS: dict[str, dict[str, Any]] = {
    "RFC 7515 A.6, general": general(JOE_SEGMENT, *RFC7515_A6),
    "RFC 7515 A.7, flattened": flattened(JOE_SEGMENT, RFC7515_A6[1]),
    "RFC 7520 4.8, general": general(FRODO_SEGMENT, *RFC7520_48),
}
SIGNATURES: dict[str, dict[str, Any]] = {
    **{name: {"protected": example.header, "signature": example.signature} for name, example in COOKBOOK.items()},
    "RFC 7520 4.4": {"protected": RFC7520_44_HEADER, "signature": RFC7520_44_SIGNATURE},
    "RFC 7520 4.6": {
        "protected": RFC7520_46_HEADER,
        "header": {"kid": HMAC_KID},
        "signature": RFC7520_46_SIGNATURE,
    },
    "RFC 7520 4.7": {"header": {"alg": "HS256", "kid": HMAC_KID}, "signature": RFC7520_47_SIGNATURE},
}
for section, signature in SIGNATURES.items():
    FORMS[f"{section}, general"] = general(FRODO_SEGMENT, signature)
    FORMS[f"{section}, flattened"] = flattened(FRODO_SEGMENT, signature)
# 4.5 prints the flattened form without its payload.
FORMS["RFC 7520 4.5, general"] = {"signatures": [{"protected": RFC7520_44_HEADER, "signature": RFC7520_44_SIGNATURE}]}
FORMS["RFC 7520 4.5, flattened"] = {"protected": RFC7520_44_HEADER, "signature": RFC7520_44_SIGNATURE}
