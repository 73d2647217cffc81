"""Where the labels of an IDX file of images lie.

Imports nothing: `stages.sources`, which runs at every `dvc repro`, asks it too.
"""

from __future__ import annotations


def labels_names(name: str) -> tuple[str, ...]:
    """What the file of labels beside the file of images `name` may be called, first choice first.

    The last "image" of a name is what it holds ("imagenet-train-images-idx3-ubyte"); that all of
    them change comes second. A folder in `name` stays as it is; none is returned where `name`
    itself would be the labels.
    """
    folder, slash, last = name.removesuffix(".gz").rpartition("/")
    every = last
    for images, labels in (("image", "label"), ("idx3", "idx1")):
        every = every.replace(images, labels)
        before, found, after = last.rpartition(images)
        last = f"{before}{labels}{after}" if found else last
    plain = [f"{folder}{slash}{one}" for one in dict.fromkeys((last, every))]
    return tuple(one for path in plain for one in (path, f"{path}.gz") if one != name)
