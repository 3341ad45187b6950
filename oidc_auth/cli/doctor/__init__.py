"""``oidc-auth doctor``: checks of the surroundings, one a file; the file's name is the check's id.

A new check is a file with a docstring (which becomes its section in docs/doctor.md), a function ``find`` and a
``CHECK``, and a line in ``CHECKS``.
"""

from __future__ import annotations

from . import (
    anonymous_denied,
    auth_hook_configured,
    challenge_exposed,
    clock_skew,
    configuration,
    configuration_found,
    configuration_included,
    custom_routes,
    import_name_unique,
    issuer_match,
    key_algorithms,
    key_quality,
    keys_reachable,
    known_vulnerabilities,
    langsmith_keys,
    library_included,
    mount_prefix,
    no_redirects,
    response_size,
    studio_denied,
    studio_disabled,
    token_accepted,
    token_not_copied,
)

CHECKS = tuple(
    module.CHECK
    for module in (
        configuration,
        keys_reachable,
        issuer_match,
        no_redirects,
        response_size,
        clock_skew,
        key_quality,
        key_algorithms,
        auth_hook_configured,
        studio_disabled,
        langsmith_keys,
        mount_prefix,
        custom_routes,
        token_not_copied,
        configuration_found,
        configuration_included,
        library_included,
        challenge_exposed,
        known_vulnerabilities,
        import_name_unique,
        anonymous_denied,
        studio_denied,
        token_accepted,
    )
)
"""Every check, in the order in which they are shown."""
