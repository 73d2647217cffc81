"""COCO instances: selection of photographs, rows of the index, and positions of boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from latent_atlas.data.sources.decode import Target, decode
from latent_atlas.data.sources.items import View
from latent_atlas.data.store import Store
from latent_atlas.util.console import UserError
from tests.data.sources.pictures import Build, encoded, picture, reasons

OPTIONS = {"min_boxes": 1, "min_side": 10, "flips": False, "crops": 0}
Boxes = list[tuple[int, list[float], int]]


def instances(
    folder: Path, images: dict[str, tuple[int, int, Boxes]], name: str = "instances.json"
) -> Path:
    """Write a COCO folder of images: name → (width, height, [(category, bbox, iscrowd), …])."""
    content: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 3, "name": "cat"}, {"id": 7, "name": "dog"}],
    }
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "annotations").mkdir(exist_ok=True)
    for number, (file, (width, height, boxes)) in enumerate(images.items(), 100):
        seed = crc32(file.encode())
        (folder / "images" / file).write_bytes(encoded(picture(seed, height, width)))
        content["images"].append(
            {"id": number, "file_name": file, "width": width, "height": height}
        )
        for category, bbox, iscrowd in boxes:
            content["annotations"].append(
                {"image_id": number, "category_id": category, "bbox": bbox, "iscrowd": iscrowd}
            )
    (folder / "annotations" / name).write_text(json.dumps(content))
    return folder


CAT, DOG = 3, 7
ONE: tuple[int, int, Boxes] = (32, 32, [(CAT, [0, 0, 8, 8], 0), (DOG, [16, 8, 16, 16], 0)])


def boxes(store: Store, row: int) -> dict[str, list[float]]:
    index = store.index.iloc[row]
    return dict(zip(json.loads(index["categories"]), json.loads(index["boxes"]), strict=True))


def test_the_label_is_the_category_of_the_largest_box(tmp_path: Path, build: Build) -> None:
    store = build(instances(tmp_path / "x", {"a.png": ONE}), coco=OPTIONS)
    assert store.index["label"].to_list() == ["dog"]
    assert boxes(store, 0) == {"cat": [0, 0, 0.25, 0.25], "dog": [0.5, 0.25, 0.5, 0.5]}
    assert store.card["kind"] == "COCO instances"


def test_photographs_with_too_few_boxes_or_too_small_sides_are_rejected(
    tmp_path: Path, build: Build
) -> None:
    box = [2.0, 2.0, 4.0, 4.0]
    folder = instances(
        tmp_path / "x",
        {
            "four.png": (30, 30, [(CAT, box, 0)] * 4),
            "three.png": (30, 30, [(CAT, box, 0)] * 3),
            "region.png": (30, 30, [(CAT, box, 0)] * 3 + [(DOG, box, 1)]),
            "flat.png": (30, 30, [(CAT, box, 0)] * 3 + [(CAT, [1, 1, 0, 5], 0)]),
            "outside.png": (30, 30, [(CAT, box, 0)] * 3 + [(CAT, [31, 1, 5, 5], 0)]),
            "narrow.png": (19, 30, [(CAT, box, 0)] * 4),
            "limit.png": (20, 30, [(CAT, box, 0)] * 4),
            "none.png": (30, 30, []),
        },
    )
    (folder / "images" / "extra.png").write_bytes(encoded(picture(99)))
    store = build(folder, coco={**OPTIONS, "min_boxes": 4, "min_side": 20})
    assert store.index["origin"].to_list() == ["images/four.png", "images/limit.png"]
    assert reasons(store) == {
        "images/three.png": "3 boxes, fewer than 4",
        "images/region.png": "3 boxes, fewer than 4",
        "images/flat.png": "3 boxes, fewer than 4",
        "images/outside.png": "3 boxes, fewer than 4",
        "images/narrow.png": "a side of 19 pixels, fewer than 20",
        "images/none.png": "0 boxes, fewer than 4",
        "images/extra.png": "in no annotation file",
    }


def test_flips_and_crops_are_rows_of_their_parent(tmp_path: Path, build: Build) -> None:
    many = {f"{n}.png": ONE for n in range(40)}
    folder = instances(tmp_path / "x", many)
    store = build(folder, coco={**OPTIONS, "flips": True, "crops": 2}, valid_share=0.4)
    index = store.index
    assert len(index) == 160
    assert index["variant"].to_list() == ["original", "flip", "crop1", "crop2"] * 40
    assert index["id"].is_unique
    parents = index[index["variant"] == "original"]
    assert parents["parent"].isna().all()
    by_id = parents.set_index("id")
    others = index[index["variant"] != "original"]
    for column in ("split", "label", "origin", "sha256"):
        assert (by_id.loc[others["parent"], column].to_numpy() == others[column].to_numpy()).all()
    assert set(index["split"]) == {"train", "valid"}
    assert np.array_equal(store.images[1::4], store.images[0::4, :, ::-1])


def test_boxes_of_a_flip_are_mirrored(tmp_path: Path, build: Build) -> None:
    store = build(instances(tmp_path / "x", {"a.png": ONE}), coco={**OPTIONS, "flips": True})
    assert boxes(store, 1) == {"cat": [0.75, 0, 0.25, 0.25], "dog": [0, 0.25, 0.5, 0.5]}


@pytest.mark.parametrize(
    "fit, expected",
    [
        ("stretch", {"cat": [0, 0, 0.2, 0.5], "dog": [0.5, 0, 0.5, 1]}),
        ("crop", {"cat": [0, 0, 0.05, 0.5], "dog": [0.5, 0, 0.5, 1]}),
        ("pad", {"cat": [0, 0.25, 0.2, 0.25], "dog": [0.5, 0.25, 0.5, 0.5]}),
    ],
)
def test_boxes_follow_the_fit(
    tmp_path: Path, build: Build, fit: str, expected: dict[str, list[float]]
) -> None:
    wide: Boxes = [(CAT, [0, 0, 8, 10], 0), (DOG, [20, 0, 20, 20], 0)]
    if fit == "crop":  # the centre 20 of 40 columns are visible, and one column of the cat
        wide[0] = (CAT, [0, 0, 11, 10], 0)
    folder = instances(tmp_path / "x", {"a.png": (40, 20, wide)})
    assert boxes(build(folder, coco=OPTIONS, fit=fit), 0) == expected


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_boxes_of_crops_enclose_their_object(tmp_path: Path, build: Build, fit: str) -> None:
    """The box of a white object on black, measured in the pixels, is the one in the index."""
    folder = instances(tmp_path / "x", {"a.png": (200, 120, [(CAT, [70, 30, 60, 50], 0)])})
    pixels = np.zeros((120, 200, 3), np.uint8)
    pixels[30:80, 70:130] = 255
    (folder / "images" / "a.png").write_bytes(encoded(Image.fromarray(pixels)))
    options = {**OPTIONS, "flips": True, "crops": 12}
    store = build(folder, coco=options, fit=fit, height=64, width=64)
    for row in range(len(store.index)):
        x, y, across, down = (64 * value for value in boxes(store, row)["cat"])
        rows, columns = np.nonzero(store.images[row, :, :, 0] > 127)
        measured = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert measured == pytest.approx((x, y, x + across, y + down), abs=1.01)
    views = {json.dumps(boxes(store, row)["cat"]) for row in range(len(store.index))}
    assert len(views) > 10


def test_crops_depend_only_on_seed_and_name(tmp_path: Path, build: Build) -> None:
    options = {**OPTIONS, "crops": 3}
    few = build(instances(tmp_path / "x", {"b.png": ONE}), coco=options, name="few")
    more = build(instances(tmp_path / "y", {"a.png": ONE, "b.png": ONE}), coco=options, name="more")
    other = build(tmp_path / "x", coco=options, name="other", seed=1)
    assert np.array_equal(few.images, more.images[4:])
    assert not np.array_equal(few.images[1:], other.images[1:])
    assert np.array_equal(few.images[0], other.images[0])


def test_a_file_of_another_size_than_annotated_is_rejected(tmp_path: Path, build: Build) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE, "b.png": ONE})
    (folder / "images" / "b.png").write_bytes(encoded(picture(5, 30, 31)))
    store = build(folder, coco=OPTIONS)
    assert reasons(store) == {"images/b.png": "has 31×30 pixels, but the source promises 32×32"}


@pytest.mark.parametrize("width", [10**5, 10**30])
def test_an_impossible_size_is_rejected(tmp_path: Path, build: Build, width: int) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE, "b.png": ONE})
    path = folder / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    content["images"][0].update(width=width, height=10**4)
    path.write_text(json.dumps(content))
    store = build(folder, coco={**OPTIONS, "crops": 1})
    assert list(reasons(store).values()) == [
        f"decompression bomb ({width}×10000 pixels, at most 100000000)"
    ]
    assert set(store.index["origin"]) == {"images/b.png"}


def test_names_of_annotation_files_give_the_splits(tmp_path: Path, build: Build) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE, "b.png": ONE}, "instances_train2017.json")
    instances(folder, {"c.png": ONE}, "instances_val2017.json")
    (folder / "annotations" / "captions_val2017.json").write_text("{}")
    store = build(folder, coco=OPTIONS)
    assert store.index["split"].to_list() == ["train", "train", "valid"]


def test_two_annotation_files_without_splits_in_their_names_are_refused(
    tmp_path: Path, build: Build
) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE}, "one.json")
    instances(folder, {"b.png": ONE}, "two.json")
    with pytest.raises(UserError, match=r"has no split in its name.*give the path of one"):
        build(folder, coco=OPTIONS)
    store = build(folder / "annotations" / "two.json", coco=OPTIONS)
    assert store.index["origin"].to_list() == ["images/b.png"]


def test_missing_images_are_on_the_card(tmp_path: Path, build: Build) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE, "b.png": ONE})
    (folder / "images" / "b.png").unlink()
    assert reasons(build(folder, coco=OPTIONS)) == {"b.png": "no such file"}


def test_classes_and_limit_count_photographs(tmp_path: Path, build: Build) -> None:
    cat: tuple[int, int, Boxes] = (32, 32, [(CAT, [0, 0, 8, 8], 0)])
    images = {f"{n}.png": cat if n % 3 else ONE for n in range(12)}
    folder = instances(tmp_path / "x", images)
    options = {**OPTIONS, "flips": True}
    assert build(folder, coco=options, classes=1).classes == ["cat"]
    assert len(build(folder, coco=options, limit=5).index) == 10


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"a": 1}', "not a COCO file of instances: found a, expected the lists images"),
        ("[1, 2]", "not a COCO file of instances: found no object"),
        ("{", r"not valid JSON .*; fix it, or move it away if it does not describe the images"),
        (
            '{"images": [{"id": 1}], "annotations": [], "categories": []}',
            r"images\[0\] is not a valid COCO entry \(no 'file_name'\); fix or remove it",
        ),
        (
            '{"images": [], "annotations": [{"image_id": "7", "category_id": 4}], '
            '"categories": [{"id": 4, "name": "x"}]}',
            r"not a valid COCO entry .*image_id '7' is the id of no entry\); fix or remove it",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a.png", "width": 0, "height": 5}], '
            '"annotations": [], "categories": []}',
            r"images\[0\] is not .*0×5",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 5}], '
            '"annotations": [{"image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4]}], '
            '"categories": []}',
            r"annotations\[0\] is not .*category_id 4 is the id of no entry\); fix or remove it",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 5}], '
            '"annotations": [{"image_id": 1, "category_id": 4, "bbox": [1, 2, 3]}], '
            '"categories": [{"id": 4, "name": "x"}]}',
            r"annotations\[0\] is not",
        ),
        (
            '{"images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 5}], '
            '"annotations": [{"image_id": 1, "category_id": 4, "bbox": [1, NaN, 3, 4]}], '
            '"categories": [{"id": 4, "name": "x"}]}',
            r"annotations\[0\] is not",
        ),
    ],
)
def test_invalid_annotations_are_refused_with_their_place(
    tmp_path: Path, build: Build, content: str, message: str
) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE})
    path = folder / "annotations" / "instances.json"
    path.write_text(content)
    for source in (path, folder):
        with pytest.raises(UserError, match=message):
            build(source, coco=OPTIONS)


@pytest.mark.parametrize(
    ("part", "twin"),
    [
        ("images", {"id": 100, "file_name": "b.png", "width": 32, "height": 32}),
        ("categories", {"id": 3, "name": "fox"}),
    ],
)
def test_two_entries_with_one_id_are_refused(
    tmp_path: Path, build: Build, part: str, twin: dict[str, Any]
) -> None:
    """Otherwise boxes of the first entry would be those of the second one."""
    folder = instances(tmp_path / "x", {"a.png": ONE})
    path = folder / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    content[part].append(dict(content[part][0]))  # an equal entry is harmless
    path.write_text(json.dumps(content))
    assert len(build(folder, coco=OPTIONS).index) == 1
    content[part].append(twin)
    path.write_text(json.dumps(content))
    at = len(content[part]) - 1
    with pytest.raises(UserError, match=rf"{part}\[{at}\] has the id {twin['id']} of another"):
        build(folder, coco=OPTIONS)


def test_another_json_beside_images_is_not_read_as_coco(tmp_path: Path, build: Build) -> None:
    folder = tmp_path / "x"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.png").write_bytes(encoded(picture(1)))
    (folder / "about.json").write_text('{"author": "nobody"}')
    assert build(folder).card["kind"] == "folder of images"


def test_the_original_is_the_decoded_file(tmp_path: Path, build: Build) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE})
    data = (folder / "images" / "a.png").read_bytes()
    expected = decode(data, Target(8, 8, 3, "crop"), (View(),))
    assert np.array_equal(build(folder, coco=OPTIONS).images, expected)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"id": 100', '"id": Infinity', r"images\[0\] is not .*OverflowError"),
        ('"a.png"', r'"\ud800.png"', r"images\[0\] is not .*surrogates"),
        ('"dog"', r'"\ud800"', r"categories\[1\] is not .*surrogates"),
    ],
)
def test_infinite_numbers_and_invalid_unicode_are_refused(
    tmp_path: Path, build: Build, before: str, after: str, message: str
) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE})
    path = folder / "annotations" / "instances.json"
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(UserError, match=message):
        build(folder, coco=OPTIONS)


def test_a_link_to_instances_is_read(tmp_path: Path, build: Build) -> None:
    folder = instances(tmp_path / "x", {"a.png": ONE})
    path = folder / "annotations" / "instances.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    assert build(path, coco=OPTIONS).index["label"].to_list() == ["dog"]
