from pathlib import Path

from harness.rollout.places import drills_file, kill_file, spool_folder, state_folder


def test_all_lie_under_one_home_and_none_in_anothers_place() -> None:
    home = Path("/home")
    places = [kill_file(home), state_folder(home), drills_file(home), spool_folder(home)]

    assert len(set(places)) == 4
    assert all(home in place.parents for place in places)
    assert kill_file(home).name == "KILL"  # what replays look for, and what runbooks say
