"""Stand-in providers: both wire formats over real sockets, speaking through espeak-ng.

The door is `harness.emulators.server`; this package imports nothing, so that `cutover --help` stays light.
"""
