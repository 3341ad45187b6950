"""Refuse to start on a langgraph-api that is too old.

``oidc-auth doctor`` checks the same version and imports only this module.

The server enforces what the handlers decide. langgraph-api 0.7.32 and older ignore the store namespace that our handler
writes, so that users read and overwrite each other's items. No handler can see that.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from packaging.version import InvalidVersion, Version

from ..errors import ErrorCode, ServerNotSupportedError

SERVER = "langgraph-api"

OLDEST_SERVER = "0.10.3"
"""The oldest langgraph-api on which the demo passes; docs/operate/servers.md lists the tested versions."""


def check_installed_server() -> None:
    """Check the langgraph-api of this environment, if there is one.

    Raises:
        ServerNotSupportedError: it is older than ``OLDEST_SERVER``, or its version cannot be read.
    """
    if (found := installed_server()) is not None:
        check_server_version(found)


def check_server_version(found: str) -> None:
    """Raise ServerNotSupportedError if a server of this version is not supported."""
    if is_older(found, OLDEST_SERVER):
        raise ServerNotSupportedError(
            ErrorCode.SERVER_VERSION_NOT_SUPPORTED,
            expected=f"{SERVER} {OLDEST_SERVER} or newer",
            found=f"{SERVER} {found}",
            hint=f"pip install '{SERVER}>={OLDEST_SERVER}'",
        )


def installed_server() -> str | None:
    """Return the version of the installed langgraph-api, or None if there is none."""
    try:
        # Damaged metadata has no version. "None" is then refused. It does not mean that no server is installed.
        return str(version(SERVER))
    except PackageNotFoundError:
        return None


def is_older(found: str, than: str) -> bool:
    """Return whether a version is older than another; an invalid one (PEP 440) counts as older."""
    try:
        return Version(found) < Version(than)
    except InvalidVersion:
        # Fail closed: a version that cannot be compared was not tested.
        return True
