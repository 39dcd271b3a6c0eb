"""A page in which a visitor walks through a generator's latent space."""
