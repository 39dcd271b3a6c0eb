"""How well a model reconstructs test images: metrics with standard errors, and how its latent space is used."""
