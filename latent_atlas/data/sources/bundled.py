"""Data sets that a library brings or knows where to download: ``sklearn:…``, ``torchvision:…``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_atlas.data.sources import fetch
from latent_atlas.data.sources.items import Asked, BytesContent, Item, Source
from latent_atlas.util.console import UserError

SKLEARN = ("digits",)
TORCHVISION = ("MNIST", "FashionMNIST", "CIFAR10", "STL10")

_Images = npt.NDArray[np.uint8]
_Part = tuple[str | None, _Images, list[str]]


def read_sklearn(asked: Asked) -> Source:
    """scikit-learn's 1,797 digits: 8×8, with 0…16 stretched to 0…255."""
    _known(asked, SKLEARN)
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return _source(asked, [(None, images, [str(number) for number in digits.target])])


def read_torchvision(asked: Asked) -> Source:
    """A data set of torchvision, downloaded into the cache folder; its own train and test splits.

    Raises:
        UserError: if there is no such data set, or it cannot be downloaded.
    """
    name = _known(asked, TORCHVISION)
    from torchvision import datasets

    root = fetch.cache() / "torchvision"
    parts: list[_Part] = []
    for split in ("train", "test"):
        which: dict[str, Any] = {"split": split} if name == "STL10" else {"train": split == "train"}
        try:
            data = getattr(datasets, name)(root, download=True, **which)
        except (OSError, RuntimeError) as error:  # URLError is an OSError
            raise UserError(
                f"{asked.key}: torchvision cannot download {name} ({error}); "
                f"try again, or lay its files into {root}"
            ) from None
        parts.append((split, _pixels(data.data), _labels(name, data)))
    return _source(asked, parts)


def _known(asked: Asked, names: Sequence[str]) -> str:
    library, _, name = asked.data.source.partition(":")
    if name not in names:
        near = difflib.get_close_matches(name.lower(), [one.lower() for one in names], 1)
        right = next((one for one in names if [one.lower()] == near), None)
        hint = f"; did you mean {right!r}?" if right else ""
        raise UserError(
            f"{asked.key}: no data set {name!r} from {library}{hint} (there are {', '.join(names)})"
        )
    return name


def _pixels(data: Any) -> _Images:
    """N×H×W or N×H×W×3, whichever way the library holds them."""
    images = np.asarray(data, dtype=np.uint8)
    if images.ndim == 4 and images.shape[1] == 3:  # STL10 has the channels first
        images = images.transpose(0, 2, 3, 1)
    return images


def _labels(name: str, data: Any) -> list[str]:
    numbers = data.labels if name == "STL10" else data.targets
    if name == "MNIST":  # whose classes are called "0 - zero"
        return [str(int(number)) for number in numbers]
    return [data.classes[int(number)] for number in numbers]


def _source(asked: Asked, parts: Sequence[_Part]) -> Source:
    def items() -> Iterator[Item]:
        for split, images, labels in parts:
            part = f"-{split}" if split else ""
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                origin = f"{asked.data.source}{part}#{number}"
                content = BytesContent(image.tobytes())
                yield Item(origin, content, split, label, pixels=image.shape)

    return Source(asked.data.source, items)


READERS: dict[str, Callable[[Asked], Source]] = {
    "sklearn": read_sklearn,
    "torchvision": read_torchvision,
}
