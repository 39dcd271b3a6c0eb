"""Commands beside the stages: compare, explore, mix, interpolate and why."""
