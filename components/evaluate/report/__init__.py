"""The report: its sections, its words, and its HTML."""
