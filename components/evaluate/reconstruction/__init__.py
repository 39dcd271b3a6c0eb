"""How well a model reconstructs test images: metrics with standard errors, and how it uses its latent space."""
