"""The networks and the VAE's arithmetic: Keras 3 and ``keras.ops`` only, no Beam, no files."""
