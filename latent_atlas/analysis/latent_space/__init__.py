"""Structure of a latent space: spread, clusters, distance to the prior, projections."""
