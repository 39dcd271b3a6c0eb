"""What a person reads: console lines, numbers, the style of figures, and HTML."""
