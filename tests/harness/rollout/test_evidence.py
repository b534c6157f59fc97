from dataclasses import fields

from harness.rollout.evidence import Evidence, LiveEvidence, Share


def test_a_share_of_nothing_is_unknown() -> None:
    assert Share(part=0, whole=0).value is None
    assert Share(part=1, whole=4).value == 0.25


def test_only_what_people_or_live_traffic_add_may_be_left_out() -> None:
    optional = {field.name for field in fields(Evidence) if field.default is None}

    assert optional == {"live", "tickets_reviewed_by", "signed_by"}
    assert not [field for field in fields(LiveEvidence) if field.default is None]
