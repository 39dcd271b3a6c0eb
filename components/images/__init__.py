"""From bytes to clean pixels in their frame; limits, near-duplicates, and sheets of images."""
