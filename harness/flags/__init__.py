"""Who may be sent where, as people set it: the flag file, any OpenFeature provider, and the kill switch."""
