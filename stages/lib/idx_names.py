"""Where the labels of an IDX file of images lie.

Imports nothing: `stages.sources`, which runs at every `dvc repro`, asks it too.
"""

from __future__ import annotations


def labels_names(name: str) -> tuple[str, ...]:
    """What the file of labels beside the file of images `name` may be called, first choice first.

    A folder in `name` stays as it is; none is returned where `name` itself would be the labels.
    """
    folder, slash, last = name.removesuffix(".gz").rpartition("/")
    for images, labels in (("images", "labels"), ("image", "label"), ("idx3", "idx1")):
        last = last.replace(images, labels)
    plain = f"{folder}{slash}{last}"
    return tuple(one for one in (plain, f"{plain}.gz") if one != name)
