"""What is kept: journals, audio, runs, and the databases that are sealed from them."""
