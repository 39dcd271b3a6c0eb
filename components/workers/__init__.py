"""How Beam's workers run, on this machine or on others, how they are watched, and how they end."""
