"""The networks and the arithmetic of the VAE. Keras 3 and ``keras.ops`` only; no Beam, no files."""
