"""The command `compare`: runs side by side, with what differs by more than chance."""
