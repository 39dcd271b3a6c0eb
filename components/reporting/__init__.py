"""Output for people: console lines, numbers, the style of figures and what they share, and HTML."""
