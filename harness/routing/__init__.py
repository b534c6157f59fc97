"""Where a request goes: buckets, breakers, and the order in which switch, flags, rollout and health decide."""
