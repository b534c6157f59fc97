"""The live path: callers in, speech out, with a way back."""
