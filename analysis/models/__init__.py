"""Quality models: optional, each behind an extra of its own, none needed for a verdict."""
