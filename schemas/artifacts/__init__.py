"""What an artifact is: its manifest, its staging folder, and the records and tables inside."""
