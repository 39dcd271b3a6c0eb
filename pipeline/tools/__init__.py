"""Commands beside the stages: comparing runs, the explorer, and where an image comes from."""
