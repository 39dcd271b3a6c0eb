"""Artifacts: their manifest, their staging folder, and the records and tables inside."""
