"""SECURITY.md is true: each promise names the tests that fail if it is broken."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROMISE = re.compile(r"^- \*\*([A-Z]\d+)\. ", re.MULTILINE)
THREAT = re.compile(r"^\|[^|]+\|[^|]+\|([^|]+)\|$", re.MULTILINE)
RANGE = re.compile(r"([A-Z])(\d+)(?: to [A-Z](\d+))?")

TESTS = {
    "A1": [
        "tests/tokens/test_signature_checks.py::test_violated_rule_returns_its_code",
        "tests/tokens/test_properties.py::test_changed_character_is_rejected",
        "tests/langgraph/test_error_responses.py::test_missing_token_is_401_without_error",
    ],
    "A2": [
        "tests/tokens/test_issuer_and_key_checks.py::test_two_issuers_have_own_algorithms",
        "tests/tokens/test_rfc_examples.py::test_mac_is_rejected_by_algorithm",
        "tests/tokens/test_rfc_examples.py::test_unsecured_token_is_rejected_twice",
        "tests/tokens/test_algorithms.py::test_key_without_alg_rejects_other_types",
        "tests/tokens/test_algorithms.py::test_bound_rsa_key_rejects_other_algorithms",
    ],
    "A3": [
        "tests/tokens/test_key_advisories.py::test_key_in_token_is_never_used",
        "tests/tokens/test_issuer_and_key_checks.py::test_key_address_in_token_is_not_fetched",
        "tests/tokens/test_address_advisories.py::test_issuer_of_token_is_never_contacted",
    ],
    "A4": [
        "tests/config/test_presets.py::test_issuer_with_extra_slash_is_different",
        "tests/config/test_several_issuers.py::test_same_kid_at_two_issuers_differs",
        "tests/config/test_several_issuers.py::test_kid_of_other_issuer_is_unknown",
    ],
    "A5": [
        "tests/config/test_several_issuers.py::test_each_issuer_has_own_audience",
        "tests/config/test_issuer_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_audience_errors.py::test_each_mistake_has_place_and_hint",
        "tests/tokens/test_claim_checks.py::test_violated_rule_returns_its_code",
    ],
    "A6": [
        "tests/config/test_providers.py::test_other_provider_tokens_are_rejected",
        "tests/config/test_startup_log.py::test_client_id_as_audience_is_warned",
        "tests/tokens/test_issuer_and_key_checks.py::test_violated_rule_returns_its_code",
        "tests/tokens/test_claim_checks.py::test_violated_rule_returns_its_code",
    ],
    "A7": [
        "tests/tokens/test_claim_checks.py::test_violated_rule_returns_its_code",
        "tests/tokens/test_claim_checks.py::test_token_at_limit_is_accepted",
        "tests/tokens/test_admission.py::test_token_expiring_while_waiting_is_rejected",
        "tests/tokens/test_admission.py::test_token_expiring_during_key_fetch_is_rejected",
        "tests/config/test_value_errors.py::test_each_mistake_has_place_and_hint",
    ],
    "A8": ["tests/tokens/test_claim_checks.py::test_violated_rule_returns_its_code"],
    "A9": [
        "tests/config/test_custom_header.py::test_two_acceptable_credentials_are_rejected",
        "tests/config/test_custom_header.py::test_token_in_other_issuers_header_is_rejected",
        "tests/langgraph/test_error_responses.py::test_two_authorization_headers_are_rejected",
        "tests/tokens/test_subprotocols.py::test_any_other_form_is_malformed",
        "tests/tokens/test_subprotocols.py::test_second_credential_is_refused",
        "tests/tokens/test_subprotocols.py::test_issuer_behind_proxy_accepts_no_subprotocol",
        "tests/tokens/test_subprotocols.py::test_only_websockets_have_subprotocols",
        "tests/web/test_websocket_tokens.py::test_token_in_query_string_is_refused",
    ],
    "A10": [
        "tests/config/test_audience_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_several_issuers.py::test_example_rejects_foreign_deployments",
        ("tests/config/test_entra.py::test_each_entra_tenant_is_separate"),
    ],
    "A11": [
        "tests/tokens/test_origin.py::test_only_own_and_listed_pages_pass",
        "tests/tokens/test_origin.py::test_cached_token_is_checked_again",
        "tests/langgraph/test_origins.py::test_foreign_form_starts_no_run",
        "tests/langgraph/test_origins.py::test_foreign_page_opens_no_websocket",
    ],
    "A12": [
        "tests/tokens/test_header_field_checks.py::test_violated_rule_returns_its_code",
        "tests/tokens/test_syntax_checks.py::test_violated_rule_returns_its_code",
        "tests/tokens/test_syntax_checks.py::test_unclosed_string_is_rejected_cheaply",
        "tests/tokens/test_parser_advisories.py::test_huge_token_is_rejected_cheaply",
        "tests/tokens/test_parser_advisories.py::test_deep_nesting_never_overflows_stack",
        "tests/tokens/test_properties.py::test_any_segment_bytes_are_rejected_safely",
        "tests/tokens/test_refusal_cost.py::test_refusal_cost_is_independent_of_issuer_count",
    ],
    "A13": [
        "tests/tokens/test_unsigned_guesses.py::test_unsigned_guess_learns_nothing",
        "tests/tokens/test_unsigned_guesses.py::test_unreadable_signature_hides_claims",
    ],
    "K1": [
        "tests/keys/test_fetch.py::test_forbidden_address_is_rejected_with_reason",
        "tests/keys/test_fetch.py::test_redirect_is_not_followed",
        "tests/keys/test_fetch.py::test_cookies_of_provider_are_not_kept",
        "tests/keys/test_faults.py::test_keys_at_forbidden_address_are_not_fetched",
        "tests/keys/test_moved_keys.py::test_metadata_of_https_issuer_name_https_keys",
    ],
    "K2": ["tests/keys/test_faults.py::test_wrong_discovery_document_is_outage"],
    "K3": [
        "tests/keys/test_fetch.py::test_body_over_limit_is_error",
        "tests/keys/test_faults.py::test_deadline_bounds_whole_fetch",
    ],
    "K4": [
        "tests/keys/test_faults.py::test_fault_never_replaces_good_keys",
        "tests/keys/test_withdrawn_keys.py::test_set_without_usable_keys_withdraws_all",
        "tests/keys/test_key_sets.py::test_token_of_unusable_key_is_rejected",
        "tests/keys/test_key_sets.py::test_key_published_with_its_private_part_is_refused",
        "tests/keys/test_weak_keys.py::test_point_of_small_order_is_no_key",
        "tests/keys/test_weak_keys.py::test_modulus_with_small_factor_is_refused",
    ],
    "K5": [
        "tests/keys/test_key_refresh.py::test_concurrent_first_requests_cost_one_fetch",
        "tests/keys/test_unknown_kids.py::test_concurrent_unknown_kids_cost_two_fetches",
        "tests/keys/test_unknown_kids.py::test_allowance_for_unknown_kids_grows_each_fifteen_seconds",
        "tests/keys/test_new_key_ids.py::test_allowance_is_bounded_at_any_time",
    ],
    "K6": [
        "tests/tokens/test_admission.py::test_cached_tokens_need_no_admission",
        "tests/tokens/test_admission.py::test_valid_token_is_not_delayed_by_invalid_ones",
    ],
    "K7": [
        "tests/tokens/test_token_cache.py::test_withdrawn_key_drops_cached_tokens",
        "tests/keys/test_key_refresh.py::test_idle_server_refreshes_before_first_use",
        "tests/keys/test_outage.py::test_keys_serve_one_day_of_outage",
        "tests/keys/test_moved_keys.py::test_key_withdrawn_at_new_address_is_rejected",
    ],
    "I1": [
        "tests/introspection/test_opaque_tokens.py::test_only_boolean_true_is_active",
        "tests/introspection/test_opaque_tokens.py::test_revoked_expired_and_made_up_tokens_are_refused",
        "tests/introspection/test_every_jwt.py::test_revoked_jwt_is_refused",
        "tests/real_providers/keycloak/test_introspection.py::test_ended_access_is_refused_within_seconds",
        "tests/real_providers/test_node_introspection.py::test_revoked_tokens_are_refused",
    ],
    "I2": [
        "tests/introspection/test_answers.py::test_outage_is_503_and_never_yes",
        "tests/introspection/test_endpoint.py::test_other_body_is_no_answer",
        "tests/introspection/test_endpoint.py::test_other_status_is_no_answer",
        "tests/introspection/test_every_jwt.py::test_answer_about_other_subject_is_refused",
    ],
    "I3": [
        "tests/introspection/test_opaque_tokens.py::test_answer_passes_checks_of_jwt",
        "tests/introspection/test_opaque_tokens.py::test_answer_without_audience_needs_binding",
        "tests/introspection/test_every_jwt.py::test_all_claims_together_pass_every_check",
        "tests/real_providers/test_node_introspection.py::test_token_without_api_and_refresh_token_are_refused",
    ],
    "I4": [
        "tests/introspection/test_every_jwt.py::test_jwt_failing_locally_is_never_sent",
        "tests/introspection/test_every_jwt.py::test_jwt_with_wrong_signature_is_never_sent",
        "tests/introspection/test_every_jwt.py::test_jwt_of_other_issuer_is_never_sent",
        "tests/introspection/test_opaque_tokens.py::test_damaged_jwt_is_never_sent",
        "tests/introspection/test_opaque_tokens.py::test_opaque_token_is_sent_to_one_issuer",
    ],
    "I5": [
        "tests/introspection/test_answers.py::test_revoked_token_is_refused_after_cache_seconds",
        "tests/introspection/test_answers.py::test_token_cache_never_prolongs_answer",
        "tests/introspection/test_answers.py::test_answer_is_not_used_past_exp",
    ],
    "I6": [
        "tests/introspection/test_answers.py::test_made_up_tokens_have_budget",
        "tests/introspection/test_answers.py::test_flood_does_not_refuse_renewals",
        "tests/introspection/test_answers.py::test_concurrent_requests_ask_once",
    ],
    "I7": [
        "tests/introspection/test_endpoint.py::test_unusable_metadata_send_no_token",
        "tests/introspection/test_client_auth.py::test_logs_and_errors_hold_no_secret_or_token",
        "tests/introspection/test_client_auth.py::test_reprs_show_no_secret",
        "tests/introspection/test_client_auth.py::test_configuration_shows_no_secret",
    ],
    "N1": [
        "tests/revocation/test_logout_tokens.py::test_violated_rule_returns_its_code",
        "tests/revocation/test_logout_tokens.py::test_header_must_be_that_of_logout_token",
        "tests/revocation/test_logout_tokens.py::test_key_of_other_issuer_is_rejected",
        "tests/revocation/test_logout_tokens.py::test_issuer_without_logout_clients_refuses",
    ],
    "N2": [
        "tests/revocation/test_security_events.py::test_violated_rule_returns_its_code",
        "tests/revocation/test_security_events.py::test_typ_must_be_that_of_events",
        "tests/revocation/test_security_events.py::test_key_of_other_issuer_is_rejected",
        "tests/revocation/test_security_events.py::test_issuer_speaks_only_for_own_subjects",
    ],
    "N3": [
        "tests/revocation/test_logout_tokens.py::test_other_tokens_are_no_logout_tokens",
        "tests/revocation/test_logout_tokens.py::test_logout_token_is_no_access_token",
        "tests/revocation/test_security_events.py::test_other_tokens_are_no_events",
        "tests/revocation/test_security_events.py::test_event_is_no_access_token",
    ],
    "N4": [
        "tests/revocation/test_logout_tokens.py::test_replay_is_refused_and_ends_nothing_newer",
        "tests/revocation/test_logout_tokens.py::test_late_notice_counts_as_of_its_iat",
        "tests/revocation/test_logout_tokens.py::test_replays_do_not_fill_store",
        "tests/revocation/test_security_events.py::test_event_is_never_later_than_its_token",
        "tests/revocation/test_security_events.py::test_repeated_event_is_accepted",
        "tests/web/test_notices.py::test_body_over_limit_is_malformed",
        "tests/web/test_notices.py::test_endless_body_is_not_read_to_end",
    ],
    "N5": [
        "tests/revocation/test_logout_tokens.py::test_log_has_no_person_and_no_token",
        "tests/web/test_notices.py::test_refusal_is_logged_once_without_token",
        "tests/web/test_notices.py::test_malformed_request_logs_no_body",
    ],
    "Z1": [
        "tests/config/test_issuer_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_permission_map_errors.py::test_each_mistake_has_place_and_hint",
        "tests/langgraph/test_error_responses.py::test_unmapped_token_is_403",
        "tests/langgraph/test_error_responses.py::test_failing_mapper_denies_and_reveals_nothing",
        "tests/langgraph/test_langgraph_doc_examples.py::test_unhandled_event_is_denied",
        "tests/langgraph/test_custom_rules.py::test_object_without_metadata_is_not_created",
        "tests/langgraph/test_robustness.py::test_malformed_requests_never_return_500",
        "tests/permissions/test_permission_maps.py::test_malformed_claim_gives_nothing",
    ],
    "Z2": [
        "tests/langgraph/test_route_coverage.py::test_every_server_route_is_in_table",
        "tests/langgraph/test_every_route.py::test_listed_permissions_suffice_for_owner",
        "tests/langgraph/test_every_route.py::test_other_permissions_do_not_suffice_for_owner",
    ],
    "Z3": [
        "tests/langgraph/test_every_route.py::test_other_user_sees_only_listed_result",
        "tests/langgraph/test_bypass_attempts.py::test_search_never_finds_foreign_objects",
    ],
    "Z4": [
        "tests/langgraph/test_ownership.py::test_created_object_belongs_to_creator",
        "tests/langgraph/test_ownership.py::test_client_reserved_keys_are_dropped",
        "tests/langgraph/test_ownership.py::test_user_cannot_change_owner",
        "tests/langgraph/test_ownership.py::test_update_writes_no_reserved_keys",
        "tests/langgraph/test_ownership.py::test_user_cannot_mark_object_as_system",
    ],
    "Z5": [
        "tests/langgraph/test_ownership.py::test_same_subject_in_other_tenant_owns_nothing",
        "tests/langgraph/test_assistants_and_store.py::test_same_user_in_two_tenants_has_two_stores",
        "tests/langgraph/test_crons.py::test_crons_of_two_tenants_share_no_store",
        "tests/enforcement/test_decision.py::test_missing_tenant_is_own_tenant",
    ],
    "Z6": [
        "tests/langgraph/test_assistants_and_store.py::test_same_namespace_is_separate_per_user",
        "tests/langgraph/test_assistants_and_store.py::test_other_users_label_gives_no_access",
        "tests/langgraph/test_custom_rules.py::test_custom_rule_cannot_change_namespace",
    ],
    "Z7": [
        "tests/langgraph/test_run_config.py::test_run_config_cannot_change_owner_or_thread",
        "tests/langgraph/test_run_config.py::test_cron_drops_dangerous_config_keys",
        "tests/langgraph/test_run_config.py::test_custom_rule_cannot_add_dangerous_config",
    ],
    "Z8": ["tests/langgraph/test_every_route.py::test_other_permissions_do_not_suffice_for_owner"],
    "Z9": [
        "tests/langgraph/test_crons.py::test_cron_runs_as_creator",
        "tests/langgraph/test_crons.py::test_cron_past_authorization_does_not_run",
        "tests/langgraph/test_crons.py::test_only_owner_renews_authorized_until",
        "tests/langgraph/test_crons.py::test_cron_run_has_no_rights_on_server",
    ],
    "Z10": [
        "tests/langgraph/test_runs.py::test_long_delay_is_refused_on_every_route",
        "tests/langgraph/test_runs.py::test_max_delay_is_configurable",
        "tests/enforcement/test_request_limits.py::test_odd_delay_is_denied",
        "tests/config/test_value_forms.py::test_defaults_match_product_defaults",
    ],
    "Z11": [
        "tests/langgraph/test_runs.py::test_graph_limits_apply_to_immediate_starts",
        "tests/langgraph/test_runs.py::test_graph_limits_apply_to_delayed_starts",
        "tests/langgraph/test_runs.py::test_graph_limits_apply_to_protocols",
        "tests/langgraph/test_graph_limits.py::test_run_cannot_name_another_graph",
        "tests/langgraph/test_graph_limits.py::test_cron_cannot_name_another_graph",
        "tests/langgraph/test_graph_limits.py::test_state_update_of_old_thread_is_denied",
    ],
    "Z12": [
        "tests/langgraph/test_sockets.py::test_socket_starts_no_run_with_expired_token",
        "tests/langgraph/test_sockets.py::test_every_event_of_expired_socket_is_refused",
        "tests/langgraph/test_stream_routes.py::test_every_event_stream_of_server_is_recognized",
        "tests/tokens/test_subprotocols.py::test_stream_needs_token_that_has_not_ended",
        "tests/web/test_stream_expiry.py::test_stream_ends_with_named_error",
        "tests/web/test_stream_expiry.py::test_no_stream_opens_after_the_end",
        "tests/web/test_stream_expiry.py::test_websocket_closes_with_its_token",
        "tests/web/test_stream_messages.py::test_unannounced_stream_is_refused_after_the_end",
    ],
    "Z13": [
        "tests/langgraph/test_custom_rules.py::test_custom_rule_may_deny_or_narrow",
        "tests/langgraph/test_custom_rules.py::test_custom_rule_never_widens",
        "tests/langgraph/test_custom_rules.py::test_ambiguous_filter_is_denied",
    ],
    "Z14": [
        "tests/langgraph/test_runs.py::test_webhook_follows_configuration",
        "tests/langgraph/test_runs.py::test_relative_webhook_is_denied_everywhere",
        "tests/config/test_value_forms.py::test_defaults_match_product_defaults",
    ],
    "Z15": [
        "tests/langgraph/test_error_responses.py::test_studio_is_denied_by_default",
        "tests/config/test_value_forms.py::test_defaults_match_product_defaults",
    ],
    "Z16": [
        "tests/langgraph/test_shared_connection.py::test_each_request_acts_as_its_own_user",
        "tests/langgraph/test_shared_connection.py::test_websocket_acts_as_its_own_user",
        "tests/langgraph/test_shared_connection.py::test_studio_does_not_act_as_user",
    ],
    "Z17": [
        "tests/langgraph/test_server_version.py::test_unsupported_version_is_refused",
        "tests/langgraph/test_server_version.py::test_entry_point_stops_on_unsupported_server",
        "tests/langgraph/test_server_context.py::test_server_without_variable_does_not_start",
    ],
    "Z18": [
        "tests/langgraph/test_sharing.py::test_listed_person_changes_nothing",
        "tests/langgraph/test_sharing.py::test_only_editors_run",
        "tests/langgraph/test_sharing.py::test_list_counts_in_owners_tenant_only",
        "tests/langgraph/test_sharing.py::test_lists_need_permission_to_share",
        "tests/langgraph/test_sharing.py::test_runs_set_no_lists",
        "tests/langgraph/test_sharing.py::test_crons_and_assistants_keep_no_lists",
        "tests/langgraph/test_sharing.py::test_sharing_is_off_until_it_is_named",
    ],
    "Z19": [
        "tests/langgraph/test_approvals.py::test_owner_needs_permission_to_steer",
        "tests/langgraph/test_approvals.py::test_owner_never_approves_with_other",
        "tests/langgraph/test_approvals.py::test_crons_never_steer",
        "tests/langgraph/test_approvals.py::test_assistants_never_steer",
        "tests/langgraph/test_approvals.py::test_run_id_in_metadata_moves_nothing",
        "tests/langgraph/test_approvals.py::test_resume_runs_assistant_of_thread_only",
        "tests/langgraph/test_approvals.py::test_only_owner_names_approvers_with_other",
    ],
    "W1": [
        "tests/web/test_servers.py::test_own_route_with_such_ending_needs_token",
        "tests/web/test_servers.py::test_other_methods_need_token",
        "tests/web/test_servers.py::test_table_lists_all_routes",
    ],
    "W2": [
        "tests/web/test_audience.py::test_token_for_mcp_is_refused_elsewhere",
        "tests/web/test_audience.py::test_cached_token_is_checked_for_each_path",
        "tests/web/test_audience.py::test_mount_prefix_is_part_of_path",
        "tests/web/test_servers.py::test_token_for_mcp_is_accepted_there_only",
    ],
    "W3": [
        "tests/web/test_metadata.py::test_answer_repeats_nothing_of_request",
        "tests/web/test_servers.py::test_metadata_names_public_url",
    ],
    "W4": [
        "tests/web/test_whoami.py::test_refusal_has_challenge_and_is_not_stored",
        "tests/web/test_whoami.py::test_answer_has_caller_and_nothing_else",
        "tests/web/test_own_application.py::test_current_caller_of_own_route",
        "tests/web/test_own_application.py::test_all_required_permissions_are_checked",
    ],
    "W5": [
        "tests/web/test_ready.py::test_answer_has_no_reason_and_no_secret",
        "tests/config/test_digest.py::test_secrets_do_not_change_digest",
    ],
    "W6": [
        "tests/web/test_shared_configuration.py::test_different_options_are_not_shared",
        "tests/web/test_shared_configuration.py::test_different_configurations_are_not_shared",
    ],
    "W7": ["tests/web/test_properties.py::test_clients_find_values_whatever_message_says"],
    "R1": [
        "tests/revocation/test_check.py::test_revoked_token_is_refused",
        "tests/revocation/test_check.py::test_new_login_is_accepted",
        "tests/revocation/test_live_set.py::test_revocation_meets_its_token_only",
        "tests/revocation/test_live_set.py::test_token_issued_after_revocation_is_valid",
        "tests/revocation/test_live_set.py::test_odd_claim_hides_no_revocation",
    ],
    "R2": [
        "tests/revocation/test_redis.py::test_revocation_reaches_other_processes",
        "tests/revocation/test_redis.py::test_restart_loads_everything_first",
        "tests/revocation/test_check.py::test_nothing_is_served_before_the_load",
        "tests/revocation/test_check.py::test_first_request_waits_for_the_load",
    ],
    "R3": [
        "tests/revocation/test_check.py::test_outage_rule_decides_after_grace",
        "tests/revocation/test_check.py::test_service_resumes_after_catching_up",
        "tests/revocation/test_redis_outages.py::test_dead_wire_is_an_outage",
        "tests/revocation/test_redis_outages.py::test_clock_set_back_hides_no_outage",
        "tests/revocation/test_redis_outages.py::test_key_of_wrong_type_is_an_outage",
    ],
    "R4": [
        "tests/revocation/test_chaos.py::test_killed_redis_loses_no_revocation",
        "tests/revocation/test_redis_outages.py::test_restarts_of_redis_lose_nothing",
        "tests/revocation/test_redis_outages.py::test_cancelled_publication_is_not_lost",
        "tests/revocation/test_redis_outages.py::test_trimmed_entries_are_restored",
        "tests/revocation/test_redis_outages.py::test_old_backup_is_completed",
        "tests/revocation/test_redis_outages.py::test_unread_lost_entries_are_counted",
    ],
    "R5": [
        "tests/tokens/test_claim_checks.py::test_violated_rule_returns_its_code",
        "tests/revocation/test_check.py::test_revocation_outlives_every_token",
        "tests/config/test_revocation.py::test_retention_covers_tokens_and_crons",
    ],
    "R6": [
        "tests/revocation/test_redis.py::test_wrong_password_is_not_told",
        "tests/config/test_revocation.py::test_invalid_store_is_an_error",
        "tests/cli/test_revoke.py::test_unreachable_store_is_an_error",
    ],
    "R7": [
        "tests/web/test_revoked_streams.py::test_revocation_ends_stream",
        "tests/web/test_revoked_streams.py::test_revocation_closes_websocket",
        "tests/web/test_revoked_streams.py::test_revocation_before_start_ends_stream",
        "tests/web/test_revoked_streams.py::test_other_revocations_end_no_stream",
        "tests/web/test_revoked_connections.py::test_logout_ends_stream",
        "tests/web/test_revoked_connections.py::test_logout_closes_websocket",
    ],
    "R8": [
        "tests/langgraph/test_revoked_crons.py::test_cron_of_revoked_user_stops_until_renewed",
        "tests/langgraph/test_revoked_crons.py::test_token_older_than_revocation_authorizes_no_cron",
        "tests/langgraph/test_revoked_crons.py::test_session_logout_does_not_stop_cron",
        "tests/langgraph/test_crons.py::test_forged_payload_keys_never_reach_runs",
        "tests/enforcement/test_crons.py::test_cron_without_known_user_does_not_run",
        "tests/enforcement/test_enforce.py::test_owner_is_stamped_over_client_values",
        "tests/permissions/test_permission_maps.py::test_mapper_cannot_hide_user_from_revocations",
    ],
    "C1": [
        "tests/config/test_issuer_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_claim_path_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_permission_map_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_role_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_value_errors.py::test_each_mistake_has_place_and_hint",
        "tests/config/test_error_report.py::test_all_mistakes_are_reported_together",
        "tests/tokens/test_startup_advisories.py::test_broken_configuration_stops_server",
    ],
    "C2": [
        "tests/config/test_startup_log.py::test_skipped_audience_is_warned",
        "tests/config/test_startup_log.py::test_each_dangerous_setting_warns_at_each_start",
    ],
    "S1": [
        "tests/langgraph/test_robustness.py::test_logs_contain_no_token",
        "tests/web/test_websocket_tokens.py::test_browser_opens_socket_with_token",
        "tests/web/test_websocket_tokens.py::test_anonymous_route_never_sees_subprotocol",
        "tests/web/test_websocket_tokens.py::test_hook_alone_moves_the_token",
        "tests/langgraph/test_runs.py::test_run_belongs_to_caller_without_token",
        "tests/tokens/test_token_cache.py::test_cached_objects_hold_no_token_text",
        "tests/tokens/test_token_cache.py::test_repr_shows_no_token_or_claims",
        "tests/tokens/test_token_cache.py::test_refusal_keeps_no_token",
        "tests/tokens/test_token_cache.py::test_cache_entries_are_told_apart_by_sha256",
    ],
    "S2": [
        "tests/permissions/test_callers.py::test_user_dict_has_exact_keys",
        "tests/permissions/test_callers.py::test_unlisted_claims_stay_out",
    ],
    "S3": [
        "tests/observability/test_logging.py::test_only_log_has_failed_claim",
        "tests/langgraph/test_error_responses.py::test_invalid_token_is_401_with_code",
        "tests/langgraph/test_error_responses.py::test_provider_outage_is_503_with_retry_after",
    ],
    "S4": [
        "tests/observability/test_logging.py::test_rejected_token_is_one_complete_line",
        "tests/langgraph/test_robustness.py::test_denial_is_one_complete_log_line",
    ],
    "S5": [
        ("tests/langgraph/test_robustness.py::test_custom_rule_failure_log_hides_data"),
    ],
    "S6": [
        "tests/observability/test_audit.py::test_no_token_or_claim_is_recorded",
        "tests/observability/test_audit.py::test_any_text_is_one_line_of_ascii",
        "tests/observability/test_audit.py::test_refused_token_is_recorded_without_identity",
        "tests/observability/test_audit.py::test_hashed_identity_is_hmac",
        "tests/observability/test_audit_writer.py::test_new_file_is_for_owner_only",
        "tests/config/test_observability.py::test_table_is_checked",
    ],
    "S7": [
        "tests/langgraph/test_audit_log.py::test_auditor_reads_a_session",
        "tests/langgraph/test_audit_log.py::test_replaced_handlers_are_recorded",
        "tests/observability/test_audit_writer.py::test_full_queue_drops_and_counts",
        "tests/config/test_observability.py::test_wrong_path_stops_the_server",
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
