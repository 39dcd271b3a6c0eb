"""The chain of stages: which are stale and why, and how each is run."""
