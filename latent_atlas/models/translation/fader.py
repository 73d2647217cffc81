"""The Fader network: an autoencoder whose code does not tell the attributes.

Source: Lample et al. 2017, "Fader networks: manipulating images by sliding attributes", sections 3
and 4. The decoder gets the code of an image and its attributes. A discriminator learns to classify
the attributes by the code; the encoder learns to make it name others, so that the decoder has to
take them from its second input. With x a real image in [−1, 1], a its attributes, ã others, and the
mean over pixels and channels, the losses are (equations 1 to 3)

    discriminator: H(D(E(x)), a)
    autoencoder:   mean (Dec(E(x), a) − x)² + λ_E H(D(E(x)), ã)

H is the cross-entropy summed over attributes, with a softmax over the values of each, and ã is
uniform among the other values (of two: 1 − a), as in the authors' code. λ_E rises linearly from 0.
A step updates the discriminator, for which batch norm in the autoencoder uses its running
statistics, and then the autoencoder, for which the discriminator is in evaluation mode, without
dropout. The mean of the squared error is that of the authors' code; the paper prints its sum.

Differences from the authors' code: gradients are not clipped (there at the norm 5), and images are
not flipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from latent_atlas.models.base import Batch, Phase, Shape, Stateful
from latent_atlas.models.networks.dense import scaled
from latent_atlas.models.options.fader import FaderOptions
from latent_atlas.models.translation import objectives
from latent_atlas.models.translation.attributes import (
    attribute_accuracy,
    attribute_entropy,
    one_hot,
    other_values,
)
from latent_atlas.models.translation.base import Translator, TranslatorConfig, to_signed, to_unit
from latent_atlas.models.translation.blocks import SLOPE, check_shape, with_maps
from latent_atlas.models.translation.monitor import (
    ACCURACY,
    average_of,
    averaged,
    collapse_reason,
    diversities,
)

_MOST_HALVINGS = 7
_MOST_MAPS = 512


class Fader(Translator):
    """An autoencoder of images and attributes, and a discriminator of its codes.

    Its options are `FaderOptions`. With the adversarial weight 0 there is no discriminator.
    """

    noise_dim = 0
    random = True
    watched = True

    def __init__(self, config: TranslatorConfig) -> None:
        super().__init__()
        options = FaderOptions.of(config.options)
        check_shape(config.shape)
        if not config.sizes:
            raise ValueError("found no attributes, expected one or more to change")
        self.options, self.sizes = options, config.sizes
        halvings = halvings_of(config.shape, options.halvings)
        values = sum(config.sizes)
        self.autoencoder = AttributeAutoencoder(config.shape[2], values, halvings, options)
        self.average = average_of(self.autoencoder, options.ema)
        self.steps = StepCount()
        if options.adversarial:
            cells = config.shape[0] >> halvings, config.shape[1] >> halvings
            self.discriminator = CodeClassifier(cells, halvings, values, options)

    def phases(self) -> dict[str, Phase]:
        """Discriminator, if there is one, then autoencoder."""
        betas = (self.options.beta1, self.options.beta2)
        autoencoder = Phase(("autoencoder",), betas=betas)
        if not self.options.adversarial:
            return {"autoencoder": autoencoder}
        discriminator = Phase(("discriminator",), "discrimination_loss", betas)
        return {"discriminator": discriminator, "autoencoder": autoencoder}

    def forward(self, batch: Batch, phase: str = "autoencoder") -> dict[str, Tensor]:
        """The terms of a phase.

        ``autoencoder``: ``loss``, the weighted sum of ``reconstruction`` (squared error per pixel
        and channel, of images in [−1, 1]) and ``adversarial`` (nats); in validation ``diversity``
        and ``data_diversity``. ``discriminator``: ``discrimination_loss`` (nats), and
        ``discriminator_accuracy``, the share of the attributes that it names, in [0, 1].
        """
        if batch.attributes is None:
            raise ValueError("found a batch without attributes, expected B×A numbers")
        images, attributes = to_signed(batch.images), batch.attributes
        if phase == "discriminator":
            return self._discrimination(images, attributes)
        codes = self.autoencoder.encode(images)
        outputs = self.autoencoder.decode(codes, one_hot(attributes, self.sizes))
        error = objectives.per_image((outputs.float() - images).square())
        terms, loss = {"reconstruction": error}, self.options.reconstruction * error
        if self.options.adversarial:
            others = other_values(attributes, self.sizes)
            with evaluating(self.discriminator):
                logits = self.discriminator(codes)
            terms["adversarial"] = attribute_entropy(logits, others, self.sizes)
            loss = loss + self.weight(batch.progress) * terms["adversarial"]
        signs = {} if self.training else diversities(outputs, images)
        return {"loss": loss, **terms, **signs}

    def _discrimination(self, images: Tensor, attributes: Tensor) -> dict[str, Tensor]:
        with torch.no_grad(), evaluating(self.autoencoder):
            codes = self.autoencoder.encode(images)
        logits = self.discriminator(codes)
        return {
            "discrimination_loss": attribute_entropy(logits, attributes, self.sizes),
            "discriminator_accuracy": attribute_accuracy(logits, attributes, self.sizes),
        }

    def weight(self, progress: float) -> float:
        """λ_E of the next step.

        Args:
            progress: share of the training that is done, in [0, 1].
        """
        options = self.options
        if options.rise_share is not None:
            done, whole = progress, options.rise_share
        else:
            done, whole = self.steps.value, options.rise
        return options.adversarial * (min(1.0, done / whole) if whole else 1.0)

    def translate(
        self, images: Tensor, attributes: Tensor, targets: Tensor, noise: Tensor
    ) -> Tensor:
        """Translate images to the attributes `targets`.

        Args:
            images: B×C×H×W in [0, 1].
            attributes: B×A; without effect.
            targets: B×A.
            noise: B×0; without effect.

        Returns:
            B×C×H×W in [0, 1], float32.
        """
        network = averaged(self.autoencoder, self.average)
        return to_unit(network(to_signed(images), one_hot(targets, self.sizes)))

    def end_step(self) -> None:
        """Count the step, and update the average of the autoencoder's weights."""
        self.steps.value += 1
        if self.average is not None:
            self.average.update(self.autoencoder)

    def memory(self) -> dict[str, Stateful]:
        """The number of steps, on which λ_E depends."""
        return {"steps": self.steps}

    def collapse(self, row: Mapping[str, float]) -> str:
        """Why the epoch with this row shows a collapse, with the option ``stop_on_collapse``.

        The accuracy is no sign: while λ_E is small, codes tell the attributes.
        """
        if not self.options.stop_on_collapse:
            return ""
        return collapse_reason({name: value for name, value in row.items() if name != ACCURACY})


class AttributeAutoencoder(nn.Module):
    """The encoder of images, and the decoder of codes and attributes.

    Lample et al. 2017, section 4, for 256 pixels: 4×4 convolutions of stride 2,
    C16-C32-C64-C128-C256-C512-C512, and their transposes, each with the one-hot vectors of the
    attributes as further constant maps. The encoder has batch norm and leaky ReLU of slope 0.2, the
    decoder batch norm and ReLU; after the authors' code, there is no norm at the images, and tanh
    ends the decoder.

    Args:
        channels: of the images.
        values: numbers of the one-hot vectors.
        halvings: convolutions of the encoder.
        options: of the model.
    """

    def __init__(self, channels: int, values: int, halvings: int, options: FaderOptions) -> None:
        super().__init__()
        maps = [channels, *maps_of(halvings, options)]
        self.encoder = nn.Sequential(
            *(_down(inner, outer, level > 0) for level, (inner, outer) in enumerate(pairwise(maps)))
        )
        self.decoder = nn.ModuleList()
        for inner, outer in pairwise(reversed(maps)):
            up = nn.ConvTranspose2d(inner + values, outer, 4, 2, 1, bias=False)
            ends = len(self.decoder) == halvings - 1
            rest = [nn.Tanh()] if ends else [nn.BatchNorm2d(outer), nn.ReLU()]
            self.decoder.append(nn.Sequential(up, *rest))

    def encode(self, images: Tensor) -> Tensor:
        """B×C×H×W in [−1, 1] to codes, B×maps×h×w."""
        codes: Tensor = self.encoder(images)
        return codes

    def decode(self, codes: Tensor, attributes: Tensor) -> Tensor:
        """B×maps×h×w codes and B×values ones and zeros to B×C×H×W in [−1, 1]."""
        for layer in self.decoder:
            codes = layer(with_maps(codes, attributes))
        return codes

    def forward(self, images: Tensor, attributes: Tensor) -> Tensor:
        """B×C×H×W in [−1, 1] and B×values ones and zeros to B×C×H×W in [−1, 1]."""
        return self.decode(self.encode(images), attributes)


class CodeClassifier(nn.Module):
    """The discriminator: logits of the attributes of a code.

    Lample et al. 2017, section 4: C512, then linear layers of 512 units and of one per value, with
    dropout of 0.3 behind the convolution. As in the authors' code, convolutions continue the
    encoder, here until one side of the maps is a single cell. A batch of one image has no batch
    norm statistics of its own at a single cell; there the running ones are used.

    Args:
        cells: height and width of the codes.
        halvings: convolutions of the encoder.
        values: logits.
        options: of the model.
    """

    def __init__(
        self, cells: tuple[int, int], halvings: int, values: int, options: FaderOptions
    ) -> None:
        super().__init__()
        height, width = cells
        levels = min(cells).bit_length() - 1
        maps = maps_of(halvings + levels, options)[halvings - 1 :]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(_down(inner, outer, True), nn.Dropout(options.dropout))
                for inner, outer in pairwise(maps)
            )
        )
        hidden = scaled(options.hidden, options.width)
        self.linear = nn.Sequential(
            nn.Linear(maps[-1] * (height >> levels) * (width >> levels), hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(hidden, values),
        )

    def forward(self, codes: Tensor) -> Tensor:
        """B×maps×h×w to B×values logits."""
        if len(codes) > 1:
            maps = self.layers(codes)
        else:
            with evaluating(self.layers):
                maps = self.layers(codes)
        logits: Tensor = self.linear(maps.flatten(1))
        return logits


class StepCount:
    """The number of steps that are done."""

    value = 0

    def state_dict(self) -> dict[str, Any]:
        """The number."""
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Take over what `state_dict` returned."""
        self.value = state["value"]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Keep a network in evaluation mode for a while: no dropout, running statistics."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def halvings_of(shape: Shape, wanted: int | None = None) -> int:
    """Convolutions of the encoder: as many as leave codes of 2×2 cells or more, at most 7.

    Args:
        shape: of the images.
        wanted: another number.

    Raises:
        ValueError: if that leaves less than 2×2 cells, or halves an odd side.
    """
    height, width, _ = shape
    both = height | width
    even = (both & -both).bit_length() - 1  # how often both sides are even
    most = min(even, min(height, width).bit_length() - 2)
    if wanted is not None and wanted > most:
        raise ValueError(
            f"found {wanted} halvings (options.halvings), but {height}×{width} images can be "
            f"halved {most} times"
        )
    return min(_MOST_HALVINGS, most) if wanted is None else wanted


def maps_of(layers: int, options: FaderOptions) -> list[int]:
    """Maps of `layers` convolutions: twice as many in each, up to 512."""
    counts = (min(_MOST_MAPS, options.maps * 2**level) for level in range(layers))
    return [scaled(count, options.width) for count in counts]


def _down(inner: int, outer: int, norm: bool) -> nn.Sequential:
    norms = [nn.BatchNorm2d(outer)] if norm else []
    return nn.Sequential(nn.Conv2d(inner, outer, 4, 2, 1), *norms, nn.LeakyReLU(SLOPE))
