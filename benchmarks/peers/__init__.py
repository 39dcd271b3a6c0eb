"""What other tools do with the same images: each is timed in the same run as ours."""
