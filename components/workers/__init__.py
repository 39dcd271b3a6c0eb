"""Beam's workers, on this machine or on others: how they start, are watched, and end."""
