"""How a network is trained on this machine: precision, XLA, accumulation, optimizer, batch normalisation, device, files."""
