"""The report: what it shows, its words, and its HTML."""
