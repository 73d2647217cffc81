"""Data sets of libraries: ``sklearn:<name>`` and ``torchvision:<name>``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from latent_atlas.data.sources import fetch
from latent_atlas.data.sources.items import BytesContent, IngestRequest, Item, Source
from latent_atlas.util.console import FieldError

SKLEARN = ("digits",)
TORCHVISION = ("MNIST", "FashionMNIST", "CIFAR10", "STL10")

_Images = npt.NDArray[np.uint8]
_Part = tuple[str | None, _Images, list[str]]


def read_sklearn(request: IngestRequest) -> Source:
    """scikit-learn's 1,797 digits of 8×8 pixels, with 0…16 scaled to 0…255."""
    _name(request, SKLEARN)
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return _source(request, [(None, images, [str(number) for number in digits.target])])


def read_torchvision(request: IngestRequest) -> Source:
    """A data set of torchvision, downloaded into the cache folder, with its train and test splits.

    Raises:
        FieldError: ``source``, if there is no such data set, or it cannot be downloaded.
    """
    name = _name(request, TORCHVISION)
    from torchvision import datasets

    root = fetch.cache_folder() / "torchvision"
    parts: list[_Part] = []
    for split in ("train", "test"):
        part: dict[str, Any] = {"split": split} if name == "STL10" else {"train": split == "train"}
        try:
            data = getattr(datasets, name)(root, download=True, **part)
        except (OSError, RuntimeError) as error:  # URLError is an OSError
            raise FieldError(
                "source",
                f"torchvision cannot download {name} ({error}); "
                f"try again, or copy its files to {root}",
            ) from None
        parts.append((split, _pixels(data.data), _labels(name, data)))
    return _source(request, parts)


def _name(request: IngestRequest, names: Sequence[str]) -> str:
    """The name of the data set in the source, which must be one of `names`."""
    library, _, name = request.data.source.partition(":")
    if name not in names:
        by_lower = {known.lower(): known for known in names}
        near = difflib.get_close_matches(name.lower(), by_lower, 1)
        hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
        raise FieldError(
            "source",
            f"no data set {name!r} in {library}{hint} (expected one of {', '.join(names)})",
        )
    return name


def _pixels(data: Any) -> _Images:
    """The images as N×H×W or N×H×W×3."""
    images = np.asarray(data, dtype=np.uint8)
    if images.ndim == 4 and images.shape[1] == 3:  # STL10 has the channels first
        images = images.transpose(0, 2, 3, 1)
    return images


def _labels(name: str, data: Any) -> list[str]:
    numbers = data.labels if name == "STL10" else data.targets
    if name == "MNIST":  # its classes are called "0 - zero"
        return [str(int(number)) for number in numbers]
    return [data.classes[int(number)] for number in numbers]


def _source(request: IngestRequest, parts: Sequence[_Part]) -> Source:
    def items() -> Iterator[Item]:
        for split, images, labels in parts:
            part = f"-{split}" if split else ""
            for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                origin = f"{request.data.source}{part}#{number}"
                content = BytesContent(image.tobytes())
                yield Item(origin, content, split, label, pixels=image.shape)

    return Source(request.data.source, items)


READERS: dict[str, Callable[[IngestRequest], Source]] = {
    "sklearn": read_sklearn,
    "torchvision": read_torchvision,
}
