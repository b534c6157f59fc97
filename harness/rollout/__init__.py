"""How far the candidate is let in, what takes it back, and what every further step must prove."""
