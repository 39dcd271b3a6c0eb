"""Recipe files: load, print, write one for a person's own images, download their public data."""
