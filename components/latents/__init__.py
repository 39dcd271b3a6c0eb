"""Latent codes: noise by seed and index, and samplers of codes in files."""
