"""Captures in, exchanges out: sources, lanes, quota, budget, and the run itself."""
