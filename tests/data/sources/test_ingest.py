"""Ingestion of a source into a store: splits, selection, order, errors, and the stage."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from latent_atlas.config.schema import DataSet
from latent_atlas.data.sources.ingest import ingest
from latent_atlas.data.sources.items import RejectedError, SliceContent
from latent_atlas.data.store import open_store, split_of
from latent_atlas.util.console import FieldError, UserError, run_command
from stages.ingest import main
from tests.data.sources.pictures import Build, encoded, picture, write_pictures

PARAMS = Path(__file__).parents[3] / "params.yaml"


def many(folder: Path, count: int) -> Path:
    return write_pictures(folder, *(f"{'ab'[n % 2]}/{n:03}.png" for n in range(count)))


def test_the_index_describes_the_files(tmp_path: Path, build: Build) -> None:
    folder = many(tmp_path / "x", 9)
    store = build(folder, licence="CC0-1.0")
    for row in store.index.itertuples():
        digest = hashlib.sha256((folder / str(row.origin)).read_bytes()).hexdigest()
        assert (row.sha256, row.id) == (digest, digest[:16])
        assert row.split == split_of(digest, 0.1)
    assert store.card["licence"] == "CC0-1.0"
    assert store.card["source"] == str(folder)
    assert store.card["left_out"] == {"classes": 0, "limit": 0}


def test_new_images_move_no_other(tmp_path: Path, build: Build) -> None:
    folder = many(tmp_path / "x", 60)
    before = build(folder, valid_share=0.3, name="before")
    write_pictures(folder, "a/000b.png", "b/zzz.png", "c/1.png", first=1000)
    after = build(folder, valid_share=0.3, name="after")
    rows = after.index.set_index("id")
    assert len(rows) == 63
    for column in ("split", "label", "origin"):
        assert (rows.loc[before.index["id"], column].to_numpy() == before.index[column]).all()


def test_splits_do_not_depend_on_names(tmp_path: Path, build: Build) -> None:
    folder = many(tmp_path / "x", 40)
    before = build(folder, valid_share=0.3, name="before").index.set_index("sha256")["split"]
    (folder / "a").rename(folder / "z")
    after = build(folder, valid_share=0.3, name="after").index.set_index("sha256")["split"]
    assert before.sort_index().to_list() == after.sort_index().to_list()


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_valid_share_is_that_of_the_images(tmp_path: Path, build: Build, share: float) -> None:
    store = build(many(tmp_path / "x", 200), valid_share=share)
    valid = (store.index["split"] == "valid").mean()
    assert valid == 0 if share == 0 else 0.35 < valid < 0.65


def test_the_limit_keeps_the_same_images_when_others_are_added(
    tmp_path: Path, build: Build
) -> None:
    folder = many(tmp_path / "x", 60)
    ten = build(folder, limit=10, name="ten")
    assert len(ten.index) == 10
    assert ten.card["left_out"] == {"classes": 0, "limit": 50}
    assert len(set(ten.index["label"])) == 2  # no block of adjacent images
    assert ten.index["origin"].is_monotonic_increasing
    twenty = build(folder, limit=20, name="twenty")
    assert set(ten.index["id"]) < set(twenty.index["id"])
    write_pictures(folder, *(f"c/{n}.png" for n in range(60)), first=500)
    more = build(folder, limit=10, name="more", classes=["a", "b"])
    assert more.index["id"].to_list() == ten.index["id"].to_list()
    assert len(build(folder, limit=1000, name="all").index) == 120


def test_classes_are_the_largest_or_the_named_ones(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "b/1.png", "b/2.png", "a/3.png", "c/4.png", "d/5.png")
    assert build(folder, classes=2).classes == ["a", "b"]
    assert build(folder, classes=9).classes == ["a", "b", "c", "d"]
    assert build(folder, classes=["d", "c"]).index["label"].to_list() == ["c", "d"]
    with pytest.raises(UserError, match=r"no class 'e' in .*x \(there are b, a, c, d\)"):
        build(folder, classes=["e"])


def test_classes_of_a_source_without_classes_are_refused(tmp_path: Path, build: Build) -> None:
    with pytest.raises(UserError, match=r"data\.mine\.classes: .* has no classes; write null"):
        build(write_pictures(tmp_path / "x", "1.png"), classes=2)


def test_a_source_without_a_usable_image_is_refused(tmp_path: Path, build: Build) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(encoded(picture(0), "JPEG")[:100])
    with pytest.raises(UserError, match=r"stores/mine: no usable image in .*1 rejected"):
        build(folder)
    assert list((tmp_path / "stores").iterdir()) == []


def test_an_older_store_is_replaced_only_by_a_finished_one(tmp_path: Path, build: Build) -> None:
    folder = many(tmp_path / "x", 4)
    before = build(folder)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError):
        build(folder)
    assert open_store(before.path).digest == before.digest


def test_images_need_not_fit_the_runs_of_the_pipeline(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "x", *(f"{n % 2}/{n}.png" for n in range(6)))
    data = DataSet(source=str(folder), height=48, width=32, channels=1)
    store = ingest("circles_mono", data, tmp_path / "store")  # its runs need multiples of 32
    assert store.images.shape == (6, 48, 32, 1)
    assert store.classes == ["0", "1"]
    assert list(Path(".cache").iterdir()) == []


def test_an_error_names_the_field_of_the_data_set(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "x", "a/1.png", "b/2.png")
    data = DataSet(source=str(folder), height=32, width=32, classes=["c"])
    with pytest.raises(
        FieldError, match=r"^classes: no class 'c' in .*x \(there are a, b\)"
    ) as error:
        ingest("mine", data, tmp_path / "store")
    assert error.value.field == "classes"
    assert not (tmp_path / "store").exists()


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **options: Any) -> None:
    """Run the stage in a repository whose params.yaml has one more data set, ``mine``."""
    values = yaml.safe_load(PARAMS.read_text())
    values["data"]["mine"] = {"height": 32, "width": 32, **options}
    Path("params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    monkeypatch.setattr(sys, "argv", ["ingest", *(arguments or ("mine",))])
    run_command(main)


def failure(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line that the failing stage printed."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_the_stage_ingests_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(tmp_path / "images", 6)
    run(monkeypatch, source="../images")
    store = open_store(Path("data/mine"))
    assert store.images.shape == (6, 32, 32, 3)
    assert list(Path(".cache").iterdir()) == []


def test_the_stage_draws_a_drawn_source(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, source="drawn:circles_mono", count={"sample": 20, "full": 30})
    store = open_store(Path("data/mine"))
    assert len(store.images) == 20
    assert store.card["factors"] == ["x", "y", "r"]


def test_the_stage_finds_images_from_a_queued_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(tmp_path / "images", 6)
    copy = Path(".dvc/tmp/exps/tmp123")
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    run(monkeypatch, source="../images")
    assert len(open_store(Path("data/mine")).images) == 6


@pytest.mark.parametrize(
    "options, line",
    [
        (
            {"source": "nowhere"},
            "data.mine.source: found 'nowhere', but there is no file or folder",
        ),
        ({"source": "empty"}, "data.mine.source: empty is empty; expected images"),
        ({"source": "texts"}, "data/mine: no usable image in texts (1 rejected: not an"),
        ({"source": "table"}, "data.mine.table.label: t.csv has no column 'style'; did you mean"),
        ({"source": "half.zip"}, "half.zip: damaged or incomplete zip archive"),
        (
            {"source": "coco.json"},
            "coco.json: not a COCO file of instances: found an empty object, expected",
        ),
        ({"source": "one.png"}, "data.mine.source: one.png is a single image; give its folder"),
        ({"source": "texts/1.txt"}, "texts/1.txt begins with 'hello'; expected a folder, a"),
        ({"source": "nothing.zip"}, "data.mine.source: nothing.zip is an empty file; expected"),
        ({"source": "torchvision:mnist"}, "no data set 'mnist' in torchvision; did you mean"),
        ({"source": "sklearn:iris"}, "data.mine.source: no data set 'iris' in sklearn"),
        (
            {"source": "drawn:circle_mono", "count": {"sample": 9, "full": 9}},
            "data.mine.source: no drawing 'circle_mono'; did you mean 'circles_mono'?",
        ),
        ({"source": "fine", "classes": ["shoe"]}, "data.mine.classes: no class 'shoe' in fine"),
        ({"source": "one.png", "sha256": "0" * 64}, "data.mine.sha256: one.png has "),
        ({"source": "one.png", "size": 3}, "data.mine.size: one.png has "),
        (
            {"source": "fine", "sha256": "0" * 64},
            "data.mine.sha256: is for files, but fine is a folder; remove this key",
        ),
        (
            {"source": "file://images"},
            "data.mine.source: found file://images, expected file:///absolute/path",
        ),
        (
            {"source": "gopher://x/y"},
            "data.mine.source: gopher://x/y has the unknown URL scheme gopher://",
        ),
    ],
)
def test_wrong_sources_are_one_line_and_leave_nothing(
    options: dict[str, Any],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/1.txt").write_text("hello")
    write_pictures(Path("table"), "1.png")
    Path("table/t.csv").write_text("filename,styles\n1.png,x\n")
    write_pictures(Path("fine"), "hat/1.png", "shoes/2.png")
    shutil.make_archive("half", "zip", "fine")
    Path("half.zip").write_bytes(Path("half.zip").read_bytes()[:-300])
    Path("coco.json").write_text("{}")
    Path("one.png").write_bytes(encoded(picture(0)))
    Path("nothing.zip").touch()
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, **options)
    assert left.value.code == 1
    printed = failure(capsys)
    assert printed.startswith("error: ")
    assert line in printed
    assert not Path("data").exists() or list(Path("data").iterdir()) == []


@pytest.mark.parametrize("name", ["x.zip", "x.csv"])
def test_a_file_without_permission_is_one_line(
    tmp_path: Path, build: Build, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / name).write_text("something")
    monkeypatch.setattr(Path, "open", refuse)
    for sha256 in (None, "0" * 64):
        with pytest.raises(UserError, match=rf"data\.mine\.source: .*{name} cannot be used \(Perm"):
            build(tmp_path / name, sha256=sha256)


@pytest.mark.skipif(os.name == "nt", reason="there are no such files there")
def test_a_named_pipe_is_refused(tmp_path: Path, build: Build) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        UserError, match=r"data\.mine\.source: .*pipe is neither a file nor a folder"
    ):
        build(tmp_path / "pipe")


def test_a_removed_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="cannot be read"):
        SliceContent(tmp_path / "gone", 0, 1).read()


def test_an_output_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(Path("fine"), "1.png")
    Path("data").write_text("in the way")
    with pytest.raises(SystemExit):
        run(monkeypatch, source="fine")
    assert "data/mine: cannot be written" in failure(capsys)


def test_an_unknown_data_set_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "mein", source="fine")
    assert "no data set 'mein' in params.yaml" in failure(capsys)


def test_pixels_are_those_of_the_files(tmp_path: Path, build: Build) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    for seed in range(5):
        (folder / f"{seed}.png").write_bytes(encoded(picture(seed, 8, 8)))
    expected = [np.asarray(picture(seed, 8, 8)) for seed in range(5)]
    assert np.array_equal(build(folder).images, expected)


@pytest.mark.parametrize("options", [{"classes": ["a"]}, {"limit": 20}])
def test_a_split_without_a_selected_image_is_ignored(
    tmp_path: Path, build: Build, options: dict[str, Any]
) -> None:
    names = [f"train/{'a' if n < 195 else 'b'}/{n:03}.png" for n in range(200)]
    write_pictures(tmp_path / "x", *names, "valid/b/1.png")
    store = build(tmp_path / "x", valid_share=0.3, **options)
    assert set(store.index["split"]) == {"train", "valid"}
    assert store.card["splits_from"] == "content"


def test_a_validation_split_of_damaged_images_is_refused(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", *(f"train/a/{n:03}.png" for n in range(9)))
    (folder / "valid" / "a").mkdir(parents=True)
    (folder / "valid" / "a" / "1.png").write_bytes(encoded(picture(99))[:40])
    with pytest.raises(UserError, match=r"no image of the validation split .*valid/a/1\.png"):
        build(folder, valid_share=0.3)
    assert not (tmp_path / "stores" / "mine").exists()


def test_the_error_names_an_image_of_the_split(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "train/a/1.png", "train/a/2.png")
    for name in ("valid/a/1.png", "valid/a/notes.txt", "valid/b/2.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no image")
    (folder / "zz.txt").write_text("of no split")
    with pytest.raises(UserError, match=r"2 of them rejected, e\.g\. valid/a/1\.png: "):
        build(folder)
