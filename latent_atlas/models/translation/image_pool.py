"""The pool of generated images from which CycleGAN's discriminators learn.

Source: Shrivastava et al. 2017, section 2.3, and Zhu et al. 2017, section 4: a discriminator sees
images of earlier generators beside those of the current one, which reduces oscillation. While the
pool is not full, every image enters it and is also returned. From then on, with probability ½ an
image takes the place of a random one, which is returned; else the image itself is returned.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from latent_atlas.models.sampling import of_all_processes, own_rows


class ImagePool:
    """Images generated earlier, the same in all processes.

    Its draws come from the noise of the batch, so that they depend on the step alone.

    Args:
        size: most images that it holds; 0 returns every image at once.

    Attributes:
        images: n×C×H×W, float32; None while it is empty.
    """

    noise_dim = 2
    """Standard normal numbers that it needs per image."""

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.images: Tensor | None = None

    def exchange(self, images: Tensor, noise: Tensor) -> Tensor:
        """Store or exchange generated images, one after the other.

        Args:
            images: B×C×H×W, of this process.
            noise: B×2, standard normal: whether an image is exchanged, and for which.

        Returns:
            B×C×H×W, float32, without gradients.
        """
        fresh = images.detach().float()
        if self.size == 0:
            return fresh
        fresh, noise = of_all_processes(fresh), of_all_processes(noise).float()
        shares = 0.5 * (1 + torch.erf(noise[:, 1] / math.sqrt(2)))
        places = (shares * self.size).long().clamp(0, self.size - 1).tolist()
        swaps = (noise[:, 0] >= 0).tolist()
        held = [] if self.images is None else list(self.images)
        returned = []
        for image, place, swap in zip(fresh, places, swaps, strict=True):
            if len(held) < self.size:
                held.append(image)
                returned.append(image)
            elif swap:
                returned.append(held[place])
                held[place] = image
            else:
                returned.append(image)
        self.images = torch.stack(held)
        return torch.stack(returned)[own_rows()]

    def state_dict(self) -> dict[str, Any]:
        """The images."""
        return {"images": self.images}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.images = state["images"]
