"""The audience of access tokens, from the parameter ``resource`` (RFC 8707) or the setting."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from authlib.oauth2 import OAuth2Error

if TYPE_CHECKING:
    from collections.abc import Sequence

# An absolute URI without a fragment (RFC 8707 §2).
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!\"$-~]+", re.ASCII)
MAX_RESOURCES = 10


class TargetError(OAuth2Error):
    """A requested audience is not allowed (RFC 8707 §2)."""

    error = "invalid_target"


def grant_audience(resources: Sequence[str], default: str) -> tuple[str, ...]:
    """Return the audience of a new grant.

    Args:
        resources: the requested audiences. The provider has no list of APIs, so it accepts each valid one.
        default: the audience without such a request.

    Raises:
        TargetError: A requested audience is not an absolute URI.
    """
    if len(resources) > MAX_RESOURCES or not all(map(_RESOURCE.fullmatch, resources)):
        raise TargetError("resource must be an absolute URI without a fragment.")
    return tuple(dict.fromkeys(resources)) or (default,)


def narrow_audience(granted: tuple[str, ...], resources: Sequence[str]) -> tuple[str, ...]:
    """Return the audience of one access token.

    Args:
        granted: the audiences of the grant.
        resources: the audiences of the token request. None of them: all granted ones.

    Raises:
        TargetError: One of them was not granted (RFC 8707 §2.2).
    """
    if not set(resources) <= set(granted):
        raise TargetError("resource must be one that the authorization request named.")
    return tuple(dict.fromkeys(resources)) or granted
