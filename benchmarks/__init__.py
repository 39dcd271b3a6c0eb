"""Measurements of Latent Mill beside its peers; each module is a command: `python -m benchmarks.<name> --help`."""
