"""The request headers that the real server copies into run records. ``doctor`` gives the same result."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from kit.sample_users import configuration_for

from oidc_auth import OIDCAuth
from oidc_auth.cli.doctor.langgraph_json import copies_header
from oidc_auth.langgraph import protect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kit.live_server import LiveServer, SampleUser

HEADER = "x-goog-iap-jwt-assertion"
PATTERNS: list[Any] = [[], ["*"], ["x-*"], ["X-*"], [HEADER], ["x-goog"], ["*-jwt-*"], ["x.goog*"], ["a", "*n"]]
PATTERNS += ["x-*", "cookie", None]
NAMES = [HEADER, "cookie", "proxy-authorization", "user-agent", "x-other"]


@pytest.fixture
def configure(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that sets the header rules of the server."""
    from langgraph_api import config
    from langgraph_api.utils import headers

    caches = (headers.get_header_patterns, headers.should_include_header, headers.should_include_header_in_logs)

    def configure(**rules: Any) -> None:
        monkeypatch.setattr(config, "HTTP_CONFIG", {**(config.HTTP_CONFIG or {}), **rules})
        for cache in caches:
            cache.cache_clear()

    yield configure
    configure(configurable_headers=None, logging_headers=None)


@pytest.mark.parametrize(("patterns", "stored"), [({"include": ["x-*"]}, True), ({"exclude": ["x-other"]}, False)])
def test_matching_pattern_stores_token(
    live_server: LiveServer,
    alice: SampleUser,
    configure: Callable[..., None],
    patterns: dict[str, Any],
    *,
    stored: bool,
) -> None:
    configuration = configuration_for(live_server.issuer)
    configuration["issuer"]["header"] = HEADER
    live_server.server.install(protect(OIDCAuth.from_dict(configuration, fetcher=live_server.issuer)))
    configure(configurable_headers=patterns)
    ask = live_server.server.client.request
    sent = {HEADER: alice.token}
    path = f"/threads/{ask('POST', '/threads', json={}, headers=sent).json()['thread_id']}"
    run = {"assistant_id": "agent", "input": {"text": "x"}, "after_seconds": 3600}
    assert ask("POST", f"{path}/runs", json=run, headers=sent).status_code == 200
    assert (alice.token in ask("GET", f"{path}/runs", headers=sent).text) is stored
    assert copies_header(patterns, HEADER) is stored


@pytest.mark.parametrize(("included", "excluded"), list(product(PATTERNS, PATTERNS)))
def test_patterns_match_as_server_matches(configure: Callable[..., None], included: object, excluded: object) -> None:
    from langgraph_api.utils.headers import should_include_header, should_include_header_in_logs

    for rules in ({"includes": included, "excludes": excluded}, {"include": included, "exclude": excluded}):
        configure(configurable_headers=rules, logging_headers=rules)
        ours = {name: copies_header(rules, name) for name in NAMES}
        assert {name: should_include_header(name) for name in NAMES} == ours
        assert {name: should_include_header_in_logs(name) for name in NAMES} == ours
