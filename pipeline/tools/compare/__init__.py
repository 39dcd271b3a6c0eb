"""Runs side by side: what differs, and by more than chance."""
