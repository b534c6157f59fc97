from replay.importers.voice_book import KnownVoice, VoiceBook

ANNA = KnownVoice(kind="clone", recording_sha256="a" * 64, transcript="Hello.")


def test_a_voice_is_found_by_each_of_its_names_and_by_its_recording() -> None:
    book = VoiceBook()

    book.learn(ANNA, "anna", None, "qwen-tts-vc-anna")

    assert book.find("anna") == book.find("qwen-tts-vc-anna") == book.find("a" * 64) == ANNA
    assert book.find("bea") is None


def test_what_was_told_last_counts() -> None:
    book = VoiceBook()
    book.learn(ANNA, "anna")

    book.learn(KnownVoice(kind="design"), "anna")

    assert book.find("anna") == KnownVoice(kind="design")


def test_the_oldest_voices_are_forgotten_when_there_are_many() -> None:
    book = VoiceBook(max_voices=2)

    for name in ("a", "b", "c"):
        book.learn(KnownVoice(kind="design"), name)

    assert [book.find(name) is None for name in ("a", "b", "c")] == [True, False, False]
