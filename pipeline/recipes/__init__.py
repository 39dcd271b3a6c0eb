"""Recipe files: loaded, written for somebody's own images, and their public data downloaded."""
