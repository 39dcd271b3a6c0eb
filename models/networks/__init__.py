"""The encoders and decoders, one file per family of networks."""
