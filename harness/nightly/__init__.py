"""The nightly job: replay, measure, judge and tell, every night alike."""
