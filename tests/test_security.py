"""SECURITY.md is true: each promise names the tests that fail if it is broken."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

PROMISE = re.compile(r"^- \*\*([A-Z]\d+)\. ", re.MULTILINE)
THREAT = re.compile(r"^\|[^|]+\|[^|]+\|([^|]+)\|$", re.MULTILINE)
RANGE = re.compile(r"([A-Z])(\d+)(?: to [A-Z](\d+))?")

TESTS = {
    "A1": [
        "tests/tokens/test_every_check.py::test_a_token_that_breaks_one_rule_is_refused_with_that_rule_s_code",
        "tests/tokens/test_properties.py::test_a_valid_token_with_one_character_changed_is_refused",
        "tests/server/test_refusals.py::test_no_token_is_401_with_a_challenge_that_names_no_error",
    ],
    "A2": [
        "tests/tokens/test_every_check.py::test_two_issuers_have_algorithms_of_their_own",
        "tests/tokens/test_rfc_examples.py::test_a_mac_is_refused_by_its_algorithm",
        "tests/tokens/test_rfc_examples.py::test_an_unsecured_token_is_refused_by_its_form_and_by_its_algorithm",
        "tests/tokens/test_algorithms.py::test_a_key_without_alg_takes_no_algorithm_of_another_type",
        "tests/tokens/test_algorithms.py::test_an_rsa_key_bound_to_one_algorithm_takes_no_other",
    ],
    "A3": [
        "tests/tokens/test_advisories.py::test_a_key_that_a_token_brings_along_is_never_used",
        "tests/tokens/test_every_check.py::test_a_key_address_in_a_token_is_never_fetched",
        "tests/tokens/test_advisories.py::test_a_token_s_own_issuer_is_never_asked",
    ],
    "A4": [
        "tests/config/test_presets.py::test_an_issuer_that_differs_by_a_slash_is_another_one",
        "tests/config/test_several_issuers.py::test_the_same_key_id_at_two_issuers_is_two_keys",
        "tests/config/test_several_issuers.py::test_a_key_id_that_only_the_other_issuer_has_is_unknown",
    ],
    "A5": [
        "tests/config/test_several_issuers.py::test_each_issuer_has_an_audience_of_its_own",
        "tests/config/test_errors.py::test_one_mistake_is_named_once_with_its_place_and_its_cure",
        "tests/tokens/test_every_check.py::test_a_token_that_breaks_one_rule_is_refused_with_that_rule_s_code",
    ],
    "A6": [
        "tests/config/test_providers.py::test_what_a_provider_signs_for_others_is_nobody",
        "tests/config/test_load.py::test_an_audience_that_is_a_client_id_is_warned_of",
        "tests/tokens/test_every_check.py::test_a_token_that_breaks_one_rule_is_refused_with_that_rule_s_code",
    ],
    "A7": [
        "tests/tokens/test_every_check.py::test_a_token_that_breaks_one_rule_is_refused_with_that_rule_s_code",
        "tests/tokens/test_every_check.py::test_a_token_at_the_edge_of_a_rule_is_admitted",
        "tests/tokens/test_turns.py::test_a_token_that_expires_while_it_waits_is_refused",
        "tests/config/test_errors.py::test_one_mistake_is_named_once_with_its_place_and_its_cure",
    ],
    "A8": ["tests/tokens/test_every_check.py::test_a_token_that_breaks_one_rule_is_refused_with_that_rule_s_code"],
    "A9": [
        "tests/config/test_providers.py::test_two_credentials_that_could_both_be_accepted_are_refused",
        "tests/config/test_providers.py::test_a_token_in_the_header_of_another_issuer_is_refused",
        "tests/server/test_refusals.py::test_two_authorization_fields_are_refused",
    ],
    "A10": [
        "tests/config/test_errors.py::test_one_mistake_is_named_once_with_its_place_and_its_cure",
        "tests/config/test_several_issuers.py::test_the_example_refuses_other_peoples_deployments",
        (
            "tests/config/test_providers.py"
            "::test_each_tenant_of_an_entra_application_is_trusted_by_name_and_speaks_for_itself_alone"
        ),
    ],
    "A11": [
        "tests/tokens/test_origin.py::test_only_own_and_listed_pages_pass",
        "tests/tokens/test_origin.py::test_a_cached_token_is_checked_again",
        "tests/server/test_origins.py::test_a_foreign_form_starts_no_run",
        "tests/server/test_origins.py::test_a_foreign_page_opens_no_websocket",
    ],
    "A12": [
        "tests/tokens/test_every_check.py::test_a_token_that_breaks_one_rule_is_refused_with_that_rule_s_code",
        "tests/tokens/test_every_check.py::test_an_unclosed_string_is_refused_before_it_costs_anything",
        "tests/tokens/test_advisories.py::test_a_huge_token_is_refused_without_being_copied_a_million_times",
        "tests/tokens/test_advisories.py::test_no_configured_depth_brings_the_stack_down",
        "tests/tokens/test_properties.py::test_any_bytes_in_the_three_segments_are_refused_in_our_own_words",
    ],
    "K1": [
        "tests/keys/test_fetch.py::test_any_other_address_is_refused_with_the_reason",
        "tests/keys/test_fetch.py::test_a_redirect_is_not_followed",
        "tests/keys/test_fetch.py::test_cookies_of_a_provider_are_not_kept",
        "tests/keys/test_freshness.py::test_keys_at_a_forbidden_address_are_never_fetched",
        "tests/keys/test_rotation.py::test_metadata_of_an_https_issuer_name_https_keys",
    ],
    "K2": ["tests/keys/test_freshness.py::test_a_discovery_document_that_says_something_else_is_an_outage"],
    "K3": [
        "tests/keys/test_fetch.py::test_a_body_over_the_limit_is_an_error",
        "tests/keys/test_freshness.py::test_a_fetcher_that_stalls_is_bounded_by_the_deadline_of_the_whole_fetch",
    ],
    "K4": [
        "tests/keys/test_freshness.py::test_a_fault_never_replaces_good_keys",
        "tests/keys/test_rotation.py::test_a_set_without_usable_keys_withdraws_all",
        "tests/keys/test_key_sets.py::test_a_token_of_a_key_that_does_not_count_is_refused",
        "tests/keys/test_key_sets.py::test_a_key_published_with_its_private_part_is_refused",
        "tests/keys/test_weak_keys.py::test_a_point_of_small_order_is_no_key",
        "tests/keys/test_weak_keys.py::test_a_modulus_with_a_small_factor_is_refused",
    ],
    "K5": [
        "tests/keys/test_freshness.py::test_a_thousand_cold_callers_cost_one_fetch",
        "tests/keys/test_freshness.py::test_a_thousand_made_up_kids_at_once_cost_two_fetches",
        "tests/keys/test_freshness.py::test_the_allowance_for_unknown_kids_grows_each_fifteen_seconds",
        "tests/keys/test_rotation.py::test_an_allowance_is_bounded_at_any_time",
    ],
    "K6": [
        "tests/tokens/test_turns.py::test_tokens_seen_before_neither_wait_for_a_turn_nor_take_one",
        "tests/tokens/test_turns.py::test_a_genuine_token_is_not_held_up_by_a_crowd_of_made_up_ones",
    ],
    "K7": [
        "tests/tokens/test_cache_of_tokens.py::test_a_withdrawn_key_takes_its_remembered_tokens_along",
        "tests/keys/test_freshness.py::test_an_idle_server_does_not_accept_yesterday_s_key_in_the_morning",
        "tests/keys/test_freshness.py::test_for_a_day_no_valid_token_is_refused_and_after_it_none_is_accepted",
        "tests/keys/test_rotation.py::test_a_key_withdrawn_at_a_new_address_is_refused_after_an_hour",
    ],
    "Z1": [
        "tests/config/test_errors.py::test_one_mistake_is_named_once_with_its_place_and_its_cure",
        "tests/server/test_refusals.py::test_a_token_that_maps_to_nothing_is_403_and_says_so",
        "tests/server/test_refusals.py::test_a_mapper_that_fails_admits_nobody_and_shows_nothing",
        "tests/server/test_seeds.py::test_what_nobody_handles_is_refused",
        "tests/server/test_own_rules.py::test_what_cannot_be_stamped_is_not_made",
        "tests/server/test_hygiene.py::test_odd_requests_are_answered_without_a_500",
        "tests/permissions/test_mapping.py::test_a_claim_that_is_missing_empty_or_of_the_wrong_type_gives_nothing",
    ],
    "Z2": [
        "tests/server/test_no_route_is_unknown.py::test_every_route_of_the_server_is_in_the_table",
        "tests/server/test_every_route.py::test_the_permissions_of_the_table_are_enough_for_the_owner",
        "tests/server/test_every_route.py::test_every_other_permission_is_not_enough_even_for_the_owner",
    ],
    "Z3": [
        "tests/server/test_every_route.py::test_whoever_owns_nothing_of_it_sees_what_the_table_says",
        "tests/server/test_roads_around.py::test_no_search_finds_what_is_anothers",
    ],
    "Z4": [
        "tests/server/test_ownership.py::test_what_is_created_belongs_to_its_creator_whatever_the_client_sent",
        "tests/server/test_ownership.py::test_reserved_keys_of_a_client_are_not_stored",
        "tests/server/test_ownership.py::test_nobody_can_give_anything_away",
        "tests/server/test_ownership.py::test_a_change_writes_no_reserved_key",
        "tests/server/test_ownership.py::test_nobody_passes_an_object_off_as_the_servers_own",
    ],
    "Z5": [
        "tests/server/test_ownership.py::test_the_same_subject_in_another_tenant_owns_none_of_it",
        "tests/server/test_assistants_and_store.py::test_the_same_person_in_two_tenants_has_two_stores",
        "tests/server/test_crons.py::test_crons_of_two_tenants_share_no_memories",
        "tests/permissions/test_decide.py::test_no_tenant_is_a_tenant_of_its_own_and_never_any",
    ],
    "Z6": [
        "tests/server/test_assistants_and_store.py::test_the_same_namespace_and_key_are_two_places_for_two_people",
        "tests/server/test_assistants_and_store.py::test_nobody_reaches_a_store_by_the_label_of_another",
        "tests/server/test_own_rules.py::test_a_rule_cannot_move_a_store_call_to_another_namespace",
    ],
    "Z7": [
        "tests/server/test_run_config.py::test_no_key_of_a_config_makes_a_run_anothers_or_moves_it_to_anothers_thread",
        "tests/server/test_run_config.py::test_a_cron_keeps_no_key_that_would_make_its_runs_anothers",
        "tests/server/test_run_config.py::test_a_rule_of_ones_own_adds_no_such_key_either",
    ],
    "Z8": ["tests/server/test_every_route.py::test_every_other_permission_is_not_enough_even_for_the_owner"],
    "Z9": [
        "tests/server/test_crons.py::test_a_cron_runs_as_its_creator_on_their_own_objects",
        "tests/server/test_crons.py::test_a_cron_past_its_authorization_does_not_run",
        "tests/server/test_crons.py::test_authorized_until_is_stamped_and_only_the_owner_renews_it",
        "tests/server/test_crons.py::test_a_crons_run_holds_no_rights_when_its_graph_calls_the_server",
    ],
    "Z10": [
        "tests/server/test_runs.py::test_a_long_delay_is_refused_on_every_way",
        "tests/server/test_runs.py::test_the_longest_delay_is_a_setting",
        "tests/server/test_runs.py::test_a_delay_of_the_servers_value_fails_closed",
        "tests/config/test_load.py::test_the_defaults_are_the_products",
    ],
    "Z11": [
        "tests/server/test_runs.py::test_graph_limits_hold_on_every_way_to_start_at_once",
        "tests/server/test_runs.py::test_graph_limits_hold_on_every_way_to_start_later",
        "tests/server/test_runs.py::test_graph_limits_hold_for_the_protocols",
        "tests/server/test_graph_limits.py::test_a_run_names_no_other_graph",
        "tests/server/test_graph_limits.py::test_a_cron_names_no_other_graph",
        "tests/server/test_graph_limits.py::test_the_state_of_an_older_thread_runs_no_other_graph",
    ],
    "Z12": [
        "tests/server/test_sockets.py::test_a_socket_starts_no_run_with_an_expired_token",
        "tests/server/test_sockets.py::test_every_event_of_an_expired_socket_is_refused",
    ],
    "Z13": [
        "tests/server/test_own_rules.py::test_a_rule_beside_ours_may_refuse_or_narrow",
        "tests/server/test_own_rules.py::test_a_rule_beside_ours_never_widens",
        "tests/server/test_own_rules.py::test_a_filter_that_some_server_would_read_as_everything_denies",
    ],
    "Z14": [
        "tests/server/test_runs.py::test_a_webhook_points_where_the_operator_allows",
        "tests/server/test_runs.py::test_a_relative_webhook_is_refused_on_every_way_to_start",
        "tests/config/test_load.py::test_the_defaults_are_the_products",
    ],
    "Z15": [
        "tests/server/test_refusals.py::test_studio_is_refused_unless_the_operator_lets_it_in",
        "tests/config/test_load.py::test_the_defaults_are_the_products",
    ],
    "Z16": [
        "tests/server/test_shared_connection.py::test_each_request_acts_as_its_own_user",
        "tests/server/test_shared_connection.py::test_websocket_acts_as_its_own_user",
        "tests/server/test_shared_connection.py::test_studio_does_not_act_as_user",
    ],
    "Z17": [
        "tests/test_server_version.py::test_unsupported_version_is_refused",
        "tests/test_server_version.py::test_entry_point_stops_on_unsupported_server",
        "tests/server/test_server_context.py::test_server_without_a_variable_does_not_start",
    ],
    "C1": [
        "tests/config/test_errors.py::test_one_mistake_is_named_once_with_its_place_and_its_cure",
        "tests/config/test_errors.py::test_all_mistakes_are_reported_at_once",
        "tests/tokens/test_advisories.py::test_a_server_whose_configuration_is_broken_does_not_start",
    ],
    "C2": [
        "tests/config/test_load.py::test_a_skipped_audience_is_warned_of",
        "tests/config/test_load.py::test_each_dangerous_setting_warns_at_each_start",
    ],
    "S1": [
        "tests/server/test_hygiene.py::test_no_log_line_holds_a_token_or_its_signature",
        "tests/server/test_runs.py::test_a_run_is_the_callers_and_its_record_holds_no_token",
        "tests/tokens/test_cache_of_tokens.py::test_nothing_that_lives_on_holds_the_token_s_text",
        "tests/tokens/test_cache_of_tokens.py::test_no_repr_shows_a_token_or_its_claims",
        "tests/tokens/test_cache_of_tokens.py::test_a_refusal_keeps_nothing_of_the_token",
        "tests/tokens/test_cache_of_tokens.py::test_cache_entries_are_told_apart_by_sha256",
    ],
    "S2": [
        "tests/permissions/test_mapping.py::test_the_user_dict_has_exactly_these_keys",
        "tests/permissions/test_mapping.py::test_what_is_no_claim_of_the_allow_list_stays_out_of_user_dict_and_repr",
    ],
    "S3": [
        "tests/test_logging.py::test_only_the_log_has_the_failed_claim",
        "tests/server/test_refusals.py::test_a_bad_token_is_401_invalid_token_with_its_code",
        "tests/server/test_refusals.py::test_an_outage_of_the_provider_is_503_with_retry_after_never_401",
    ],
    "S4": [
        "tests/test_logging.py::test_a_refused_token_is_one_line_with_code_issuer_pseudonym_and_cure",
        "tests/server/test_hygiene.py::test_a_denial_is_one_line_with_event_code_issuer_pseudonym_and_cure",
    ],
    "S5": [
        (
            "tests/server/test_hygiene.py"
            "::test_the_log_says_where_a_function_of_ones_own_failed_and_nothing_of_what_it_saw"
        ),
    ],
}


def promises() -> list[str]:
    return PROMISE.findall((ROOT / "SECURITY.md").read_text("utf-8"))


def threats() -> list[list[str]]:
    """Return the promises that each row of the threat table names."""
    _, _, *cells = THREAT.findall((ROOT / "SECURITY.md").read_text("utf-8"))
    return [[name for named in RANGE.findall(cell) for name in expand(*named)] for cell in cells]


def expand(letter: str, first: str, last: str) -> list[str]:
    """Return the promises of a range such as "A1 to A4"."""
    return [f"{letter}{number}" for number in range(int(first), int(last or first) + 1)]


@cache
def names_in(module: str) -> frozenset[str]:
    body = ast.parse((ROOT / module).read_text("utf-8")).body
    functions = (node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def exists(test: str) -> bool:
    module, _, name = test.partition("::")
    return (ROOT / module).is_file() and name in names_in(module)


def test_every_promise_has_tests() -> None:
    assert promises() == list(TESTS)
    assert [promise for promise, tests in TESTS.items() if not tests] == []


def test_every_threat_names_its_promises() -> None:
    assert len(threats()) > 10
    assert all(named and set(named) <= set(TESTS) for named in threats())


def test_every_named_test_exists() -> None:
    assert [test for tests in TESTS.values() for test in tests if not exists(test)] == []
