"""The gate that must pass before the integration counts as done."""
