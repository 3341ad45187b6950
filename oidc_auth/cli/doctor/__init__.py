"""``oidc-auth doctor``: checks of the surroundings, one a file; the file's name is the check's id.

A new check is a file with a docstring (which becomes its section in docs/doctor.md), a function ``find`` and a
``CHECK``, and a line in ``CHECKS``.
"""

from __future__ import annotations

from . import (
    anonymous_refused,
    answer_size,
    challenge_exposed,
    clock_skew,
    configuration,
    configuration_found,
    configuration_shipped,
    custom_routes,
    hook_named,
    import_name_unique,
    issuer_spelling,
    key_quality,
    keys_fit,
    keys_reachable,
    known_holes,
    langsmith_keys,
    library_shipped,
    mount_prefix,
    no_redirects,
    studio_disabled,
    studio_refused,
    token_not_copied,
    token_works,
)

CHECKS = tuple(
    module.CHECK
    for module in (
        configuration,
        keys_reachable,
        issuer_spelling,
        no_redirects,
        answer_size,
        clock_skew,
        key_quality,
        keys_fit,
        hook_named,
        studio_disabled,
        langsmith_keys,
        mount_prefix,
        custom_routes,
        token_not_copied,
        configuration_found,
        configuration_shipped,
        library_shipped,
        challenge_exposed,
        known_holes,
        import_name_unique,
        anonymous_refused,
        studio_refused,
        token_works,
    )
)
"""Every check, in the order in which they are shown."""
