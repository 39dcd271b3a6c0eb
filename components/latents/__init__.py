"""Latent codes: noise by seed and index, and files of samplers."""
