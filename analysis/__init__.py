"""Audio in, verdict out: features, pairs, evidence, gates, reports."""
