from harness.doctor.check import Check, Mark


def test_a_check_is_read_by_its_name_its_mark_and_words_that_say_what_to_do() -> None:
    check = Check("qwen key", Mark.BAD, "CUTOVER_QWEN__API_KEY is not set")

    assert f"{check.mark:8} {check.name}: {check.words}" == "bad      qwen key: CUTOVER_QWEN__API_KEY is not set"
