"""The structure of a latent space: its shape, its groups, its distance to the prior, its maps."""
