"""The checklist of a faithful stand-in (providers.md D), item by item, with the tests that hold it.

| item | held by |
| --- | --- |
| Qwen: keys, by region too | test_qwen |
| Qwen: unknown and retired models, mismatches, limits | test_qwen_speech |
| Qwen: the reply to the byte | test_qwen_speech, test_dashscope_speech |
| Qwen: audio on another host, signed, expiring | test_qwen_results |
| Qwen: the stream to the byte, and what can be wrong with it | test_qwen_stream, test_fault_stream |
| Qwen: voices made, listed, asked for, deleted | test_qwen_voices, test_qwen_creation, test_qwen_reference |
| Qwen: quotas and billing states | test_quota, test_qwen_speech, test_faulty |
| Qwen: faults of service, wire and audio | test_faulty, test_fault_wire, test_fault_audio |
| Qwen: realtime | test_qwen_realtime |
| Modal: endpoints, keys, redirects | test_modal, test_modal_holding |
| Modal: cold starts, queueing, jobs, errors | test_modal, test_modal_containers, test_modal_bodies |
| both: audio that can be steered | test_knobs, test_voices, test_studio |
| both: reset and meter | test_qwen, test_sites, test_account |
| both: judged by the same client, and by software not ours | test_faults_qwen, test_faults_modal, conformance |
"""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
EMULATORS = "harness/emulators"

# Item, in the words of the checklist → file → the tests that hold it.
HELD: dict[str, dict[str, list[str]]] = {
    "qwen: a missing or bad key is 401 InvalidApiKey": {
        f"{EMULATORS}/test_qwen.py": [
            "test_without_a_key_nothing_is_read",
            "test_with_a_key_set_only_that_one_counts",
        ]
    },
    "qwen: keys are per region": {f"{EMULATORS}/test_qwen.py": ["test_a_key_is_good_in_its_own_region_alone"]},
    "qwen: unknown model 404, mismatch, unknown voice, too long, empty 400": {
        f"{EMULATORS}/test_qwen_speech.py": ["test_each_wrong_request_is_refused_in_the_services_words"]
    },
    "qwen: a configurable list of retired models": {
        f"{EMULATORS}/test_qwen_speech.py": ["test_a_retired_model_is_gone"],
        f"{EMULATORS}/test_qwen_voices.py": ["test_a_retired_maker_is_gone"],
        f"{EMULATORS}/test_qwen_creation.py": ["test_a_retired_target_takes_no_new_voices"],
    },
    "qwen: the 600 characters can be switched off": {
        f"{EMULATORS}/test_qwen_speech.py": ["test_the_length_limit_can_be_lifted"]
    },
    "qwen: the reply is the wire form, with usage by the golden rule": {
        f"{EMULATORS}/test_qwen_speech.py": ["test_the_golden_sentence_gets_the_golden_reply"]
    },
    "qwen: audio lies on another host under a signed address that expires with 403 XML": {
        f"{EMULATORS}/test_qwen_results.py": [
            "test_an_address_ends_after_a_day_and_says_so_in_its_query",
            "test_after_a_day_it_is_403_in_xml",
            "test_an_address_that_was_tampered_with_is_refused",
        ],
        f"{EMULATORS}/test_server.py": ["test_each_stand_in_has_its_own_address"],
    },
    "qwen: the stream byte for byte, cumulative usage, last frame with the address": {
        f"{EMULATORS}/test_qwen_stream.py": [
            "test_the_golden_stream_is_written_to_the_byte",
            "test_the_pieces_are_the_samples_of_the_file_behind_the_last_event",
            "test_it_is_billed_once_and_as_counted",
        ]
    },
    "qwen: injectable errors within a stream, CRLF, several lines, no last blank, a cut": {
        f"{EMULATORS}/test_fault_stream.py": [
            "test_errors_come_after_half_of_the_stream_in_both_documented_forms",
            "test_crlf_is_at_every_end",
            "test_data_over_several_lines_is_the_same_json",
            "test_only_the_last_blank_line_is_missing",
            "test_a_cut_stream_breaks_within_an_event",
        ]
    },
    "qwen: create, list, query, delete; the form of ids; VoiceNotFound": {
        f"{EMULATORS}/test_qwen_voices.py": [
            "test_clones_are_listed_by_page_as_the_service_words_them",
            "test_designs_are_listed_with_their_words_and_apart_from_clones",
            "test_a_design_can_be_asked_for_by_its_id",
            "test_a_deleted_clone_speaks_no_more",
            "test_what_the_service_does_not_do_is_refused",
        ],
        f"{EMULATORS}/test_qwen_creation.py": ["test_ids_carry_the_time_in_china"],
    },
    "qwen: a thousand voices, then 400 Throttling.AllocationQuota": {
        f"{EMULATORS}/test_qwen_creation.py": ["test_a_full_account_is_refused_until_a_voice_goes"]
    },
    "qwen: references are checked, with the codes of Audio.*": {
        f"{EMULATORS}/test_qwen_reference.py": [
            "test_what_is_no_recording_is_refused_by_its_code",
            "test_a_low_sample_rate_is_refused",
            "test_more_than_a_minute_is_refused",
            "test_too_little_speech_is_refused",
        ]
    },
    "qwen: fallback_mode": {
        f"{EMULATORS}/test_qwen_reference.py": ["test_a_transcript_of_something_else_degrades_the_voice"],
        f"{EMULATORS}/test_qwen_creation.py": ["test_a_degraded_clone_says_so"],
    },
    "qwen: 180 a minute and a limit per second, a detector of ramps": {
        f"{EMULATORS}/test_quota.py": [
            "test_a_minutes_worth_may_come_at_once_by_default",
            "test_a_limit_per_second_forbids_that",
            "test_a_steep_rise_is_a_burst_and_a_gentle_one_is_none",
        ],
        f"{EMULATORS}/test_qwen_speech.py": ["test_beyond_the_quota_it_is_429", "test_the_quota_is_each_models_own"],
    },
    "qwen: billing 429s; Retry-After only when asked for": {
        f"{EMULATORS}/test_faulty.py": [
            "test_every_refusal_of_qwen_reaches_the_caller_and_bills_nothing",
            "test_a_refusal_may_say_when_to_come_back_in_any_spelling",
        ]
    },
    "qwen: 500 and 503 by code, 504 as text": {
        f"{EMULATORS}/test_faulty.py": ["test_every_refusal_of_qwen_reaches_the_caller_and_bills_nothing"]
    },
    "qwen: no answer after the work was done": {
        f"{EMULATORS}/test_fault_wire.py": ["test_a_connection_fails_as_it_must_and_the_work_was_billed_or_not"],
        f"{EMULATORS}/test_qwen_service.py": ["test_a_lost_reply_leaves_its_voice_behind"],
        "harness/providers/test_enrolment.py": [
            "test_a_voice_that_the_stand_in_made_before_it_hung_up_is_found_and_paid_for_once"
        ],
    },
    "qwen: slow downloads; corrupt, short, mislabelled WAV": {
        f"{EMULATORS}/test_fault_wire.py": ["test_a_crawl_is_as_slow_as_told_and_complete"],
        f"{EMULATORS}/test_fault_audio.py": [
            "test_a_corrupt_file_is_no_wav",
            "test_a_cut_file_still_promises_the_whole",
            "test_half_the_rate_is_only_said",
            "test_a_wrong_length_stands_in_both_places",
        ],
    },
    "qwen: realtime in the documented order, empty commits, the end of a session": {
        f"{EMULATORS}/test_qwen_realtime.py": [
            "test_a_committed_session_goes_through_every_event_in_order",
            "test_each_event_has_the_documented_fields_in_their_order",
            "test_what_cannot_be_done_is_an_error_and_the_session_goes_on",
        ]
    },
    "modal: the endpoints": {
        f"{EMULATORS}/test_modal.py": [
            "test_a_clone_comes_back_as_bytes_with_the_headers_of_its_cost",
            "test_a_job_goes_from_running_to_completed",
            "test_asking_for_health_can_cause_the_cold_start",
            "test_what_is_missing_is_named",
        ]
    },
    "modal: the proxy's 401 in words": {
        f"{EMULATORS}/test_modal.py": ["test_the_proxy_asks_for_both_halves_of_the_key"]
    },
    "modal: 303 after a while, and again; a GET does no work twice": {
        f"{EMULATORS}/test_modal.py": ["test_a_long_call_is_passed_on_by_303_and_done_once"],
        f"{EMULATORS}/test_modal_holding.py": [
            "test_a_long_call_is_redirected_until_it_is_done_and_billed_once",
            "test_an_unknown_call_is_the_platforms_own_404",
        ],
    },
    "modal: a cold start after the idle window": {
        f"{EMULATORS}/test_modal_containers.py": [
            "test_the_first_call_waits_for_a_cold_start",
            "test_containers_stop_after_the_idle_window_and_others_start",
        ],
        f"{EMULATORS}/test_modal.py": ["test_it_is_cold_again_after_the_idle_window"],
    },
    "modal: what is more than the inputs of a container queues": {
        f"{EMULATORS}/test_modal_containers.py": ["test_inputs_beyond_all_places_queue"]
    },
    "modal: states of jobs, 202, 404 after expiry": {
        f"{EMULATORS}/test_modal.py": [
            "test_a_job_goes_from_running_to_completed",
            "test_a_failed_job_is_a_200_that_says_failed",
            "test_a_cancelled_job_has_no_result",
            "test_an_unknown_job_is_404_and_none_at_all_422",
        ],
        f"{EMULATORS}/test_modal_calls.py": ["test_a_result_expires"],
    },
    "modal: modal-http in plain text, FastAPI's 400, 422, 500": {
        f"{EMULATORS}/test_faulty.py": ["test_every_refusal_of_modal_reaches_the_caller_and_bills_nothing"],
        f"{EMULATORS}/test_modal_bodies.py": [
            "test_a_body_that_is_no_json_is_fastapis_422",
            "test_a_field_of_the_wrong_type_is_fastapis_422",
            "test_an_unknown_path_is_fastapis_404",
        ],
        f"{EMULATORS}/test_modal.py": ["test_a_reference_that_is_no_audio_fails_the_generation"],
    },
    "both: audio is seeded by text and voice": {
        f"{EMULATORS}/test_voices.py": ["test_one_take_is_one_sound", "test_two_takes_differ_a_little"],
        f"{EMULATORS}/test_qwen_speech.py": ["test_the_same_seed_and_turn_give_the_same_bytes"],
        f"{EMULATORS}/test_modal.py": ["test_the_same_seed_and_turn_give_the_same_bytes"],
    },
    "both: knobs for pitch, pace, gain, noise, clipping, silence, truncation": {
        f"{EMULATORS}/test_knobs.py": [
            "test_pitch_moves_the_fundamental",
            "test_pace_shortens_the_speech",
            "test_gain_is_in_decibels_and_clips_at_full_scale",
            "test_noise_has_the_level_that_was_asked_for",
            "test_silence_comes_first_and_a_cut_comes_last",
            "test_both_stand_ins_turn_every_voice",
            "test_every_knob_turns_speech_however_it_is_handed_over",
        ]
    },
    "both: state is reset on request": {
        f"{EMULATORS}/test_qwen.py": [
            "test_a_reset_forgets_the_voices_too",
            "test_a_reset_gives_back_the_quota_and_the_first_take_of_every_text",
        ],
        f"{EMULATORS}/test_modal_work.py": ["test_a_reset_begins_cold_without_jobs_and_with_the_first_take"],
        f"{EMULATORS}/test_faulty.py": ["test_a_running_standin_takes_another_script_and_a_reset_ends_it"],
    },
    "both: a meter counts what would have been billed": {
        f"{EMULATORS}/test_account.py": ["test_the_meter_adds_up_by_item_and_in_total"],
        f"{EMULATORS}/test_modal_work.py": ["test_the_bill_is_what_the_header_says"],
        f"{EMULATORS}/test_qwen.py": ["test_the_meter_needs_no_key"],
    },
}


@cache
def names_in(path: str) -> frozenset[str]:
    """The tests of a file."""
    tree = ast.parse((TESTS / path).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


@pytest.mark.parametrize("item", HELD)
def test_every_item_of_the_checklist_is_held_by_tests_that_exist(item: str) -> None:
    missing = [f"{path}::{name}" for path, names in HELD[item].items() for name in set(names) - names_in(path)]

    assert missing == []
    assert HELD[item]


def test_both_clients_and_software_that_is_not_ours_meet_the_stand_ins() -> None:
    for path in ("test_faults_qwen.py", "test_faults_modal.py"):
        assert names_in(path)
    for path in ("conformance/test_dashscope_sdk.py", "conformance/test_openai_sdk.py"):
        assert "running_" in (TESTS / path).read_text() + (TESTS / "conformance/conftest.py").read_text()
        assert names_in(path)
