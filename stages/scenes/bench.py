"""All measures of pictures of the same mixes."""

from __future__ import annotations

import numpy as np

from stages.lib import generation
from stages.lib.console import UserError
from stages.lib.measure import psnr_and_ssim
from stages.lib.mixes import Mixes
from stages.lib.params import Scenes
from stages.lib.store import Images, Store
from stages.models import backbones
from stages.scenes.judge import Judge, features_of, train
from stages.scenes.truth import Truth, is_drawn, transfer, truth_of


class Bench:
    """What pictures of mixes are measured with, made once for all of them.

    Args:
        store: the scenes.
        spec: the section of params.yaml.
        count: mixes to be measured at a time.
        judged: scenes to train the judge on.
        seed: of its scenes, and of the images that renderings are compared with.

    Attributes:
        judge: None unless the scenes are drawn, when nothing is known of their objects.
    """

    def __init__(self, store: Store, spec: Scenes, count: int, judged: int, seed: int) -> None:
        self._store, self._seed = store, seed
        try:
            self._backbone = backbones.load(spec.backbone, seed)
        except backbones.BackboneError as error:
            raise UserError(f"scenes.backbone: {error}") from None
        self._name, self._size = spec.backbone.partition("@")[0], spec.size
        rows = store.rows("train")
        # As many real images as renderings: the Fréchet distance depends on how many there are.
        chosen = np.random.default_rng(seed).permutation(rows)[:count]
        self._real = features_of(self._backbone, store.images[np.sort(chosen)], spec.size)
        self.judge: Judge | None = None
        if is_drawn(store):
            # Scenes of a seed that no data set here is drawn with.
            self.judge = train(self._backbone, spec.size, judged, store.shape[:2], seed + 10_000)

    def truth(self, mixes: Mixes) -> Truth | None:
        """What the mixes should be; None unless the scenes are drawn."""
        return truth_of(self._store, mixes) if self.judge is not None else None

    def measure(self, mixes: Mixes, truth: Truth | None, pictures: Images) -> dict[str, float]:
        """Every number of N uint8 pictures of N mixes.

        Returns:
            ``psnr`` (dB) and ``ssim`` against the true mix, ``transferred`` and ``kept`` (see
            `stages.scenes.truth.transfer`), where the truth is known. ``frechet_<backbone>``,
            ``kid_<backbone>``, ``precision``, ``recall``, ``density`` and ``coverage`` against
            real images.
        """
        values: dict[str, float] = {}
        if truth is not None and self.judge is not None:
            psnr, ssim = psnr_and_ssim(truth.pictures, pictures).mean(0)
            values |= {"psnr": float(psnr), "ssim": float(ssim)}
            values |= transfer(truth, mixes, self.judge.see(pictures))
        fake = features_of(self._backbone, pictures, self._size)
        return values | {
            f"frechet_{self._name}": generation.frechet(self._real, fake),
            f"kid_{self._name}": generation.kid(self._real, fake, self._seed),
            **generation.shares(self._real, fake),
        }
