"""What the live path tells: metrics, one log line a request, traces."""
