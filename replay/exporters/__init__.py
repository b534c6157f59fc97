"""Captures on their way out: our own format, and those of the tools that others use."""
