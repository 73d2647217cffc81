"""The stages of the pipeline and the user commands: one module each, `python -m stages.<name>`."""

import latent_atlas  # noqa: F401 - sets environment variables before numerical libraries load
