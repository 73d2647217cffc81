"""Checkpoints of translation runs: ``open_translator(Path("models/garments_stargan"))``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from latent_atlas.config.translation import TranslationRun
from latent_atlas.data.pixels import to_images, to_pixels
from latent_atlas.data.store import Images, Store
from latent_atlas.models.base import Model
from latent_atlas.models.translation.base import Generator, Translator
from latent_atlas.training.checkpoint import check_images, read_checkpoint, warn_if_not_portable
from latent_atlas.training.translation import build_translator
from latent_atlas.util.console import UserError
from latent_atlas.util.seeds import seed_for

Numbers = npt.NDArray[np.int64]

Codes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainedTranslator:
    """A checkpoint folder of a translation run, opened on the CPU for evaluation.

    Attributes:
        run: the parameters of the training.
        model: in evaluation mode.
        config: all of ``config.json``.
        history: a row per epoch, losses as means over images.
        values: attribute → its values, in the order of their numbers; for two domains ``domain`` →
            the names of both; empty for models without attributes.
        batch_size: images per batch; changes results by rounding only.
    """

    run: TranslationRun
    model: Model
    config: dict[str, Any]
    history: pd.DataFrame
    values: dict[str, list[str]]
    batch_size: int

    def title(self) -> str:
        """Run, parameters and data source in one line, for every figure."""
        return f"{self.run.title()} · data {self.run.data} ({self.config['data']['source']})"

    def check(self, store: Store) -> None:
        """Raise UserError unless `store` holds the images that the model was trained on."""
        check_images(self.run.name, self.config, store)

    @property
    def style_dim(self) -> int:
        """Normal numbers from which an output is drawn; 0 where an input has one output."""
        return self.model.style_dim if isinstance(self.model, Translator) else 0

    @property
    def parameters(self) -> int:
        """Number of weights of all networks, those for training alone included."""
        return sum(weight.numel() for weight in self.model.parameters())

    def translate(
        self,
        images: Images,
        attributes: Numbers,
        targets: Numbers,
        seed: int,
        outputs: int = 1,
    ) -> npt.NDArray[np.uint8]:
        """Translate images.

        Args:
            images: uint8 N×H×W×C.
            attributes: N×A numbers of the values that they have, in the order of `values`.
            targets: N×A numbers of the values that they shall have.
            seed: of the noise of models that draw their outputs.
            outputs: K outputs per input.

        Returns:
            uint8 N×K×H×W×C.

        Raises:
            TypeError: if the model translates no images.
            ValueError: for several outputs of a model that has one per input.
        """
        model = self.model
        if not isinstance(model, Translator):
            raise TypeError(f"run {self.run.name}: {self.run.model} translates no images")
        if outputs > 1 and not model.style_dim:
            raise ValueError(f"{self.run.model} has one output per input, found outputs {outputs}")
        which = np.repeat(np.arange(len(images)), outputs)
        noise = _normal(len(which), model.style_dim, seed, "styles")

        def batch(part: slice) -> Tensor:
            rows = which[part]
            pixels = to_images(torch.from_numpy(np.array(images[rows])))
            own, wanted = (torch.from_numpy(one[rows]) for one in (attributes, targets))
            return model.translate(pixels, own, wanted, noise[part])

        flat = self._in_batches(batch, len(which), images.shape[1:], seed)
        return flat.reshape(len(images), outputs, *images.shape[1:])

    def codes(self, count: int, seed: int) -> Codes:
        """`count` random codes of a generator: count×code_dim, standard normal."""
        drawn: Codes = _normal(count, self._generator().code_dim, seed, "codes").numpy()
        return drawn

    def generate(self, codes: Codes, attributes: Numbers) -> Images:
        """Make images of codes.

        Args:
            codes: N×code_dim.
            attributes: N×A numbers of the values that they shall have, in the order of `values`.

        Returns:
            uint8 N×H×W×C.

        Raises:
            TypeError: if the model makes no images of codes.
        """
        model = self._generator()

        def batch(part: slice) -> Tensor:
            numbers = torch.from_numpy(attributes[part])
            return model.generate(torch.from_numpy(codes[part]), numbers)

        return self._in_batches(batch, len(codes), tuple(self.config["shape"]), 0)

    def _generator(self) -> Generator:
        if not isinstance(self.model, Generator):
            raise TypeError(f"run {self.run.name}: {self.run.model} makes no images of codes")
        return self.model

    @torch.no_grad()
    def _in_batches(
        self, batch: Callable[[slice], Tensor], count: int, shape: tuple[int, ...], seed: int
    ) -> Images:
        """The uint8 images that `batch` makes for each slice of `count`."""
        parts = [np.empty((0, *shape), np.uint8)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(seed, "translate"))  # of models that draw more than noise
            for start in range(0, count, self.batch_size):
                parts.append(to_pixels(batch(slice(start, start + self.batch_size))).numpy())
        return np.concatenate(parts)


def open_translator(path: Path, batch_size: int = 50) -> TrainedTranslator:
    """Open the checkpoint folder `path` of a translation run.

    Raises:
        UserError: if it is missing, damaged, or of another version of the code.
    """
    found = read_checkpoint(path, TranslationRun)
    run = found.run
    reverse = run.pairs is not None and run.pairs.input is not None
    try:
        known: dict[str, list[str]] = found.config["data"]["attributes"]
        # The keys of a JSON file are sorted; the run has the order of the columns.
        values = {name: known[name] for name in run.attributes or known}
        sizes = tuple(map(len, values.values()))
        model = build_translator(run, found.shape, sizes, reverse)
        model.load_state_dict(found.weights)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: weights of another network ({error}); run `dvc repro`") from None
    warn_if_not_portable()
    return TrainedTranslator(run, model.eval(), found.config, found.history, values, batch_size)


def _normal(rows: int, columns: int, *parts: int | str) -> Tensor:
    generator = torch.Generator().manual_seed(seed_for(*parts))
    return torch.randn(rows, columns, generator=generator)
