"""A CSV beside images."""

from __future__ import annotations

from pathlib import Path

import pytest

from latent_atlas.util.console import UserError
from tests.data.sources.pictures import Build, reasons, write_pictures

HEADER = "filename,artist,title,style,genre,date\n"


def paintings(folder: Path, text: str, where: str = "images/") -> Path:
    write_pictures(folder, *(f"{where}{name}.png" for name in "abcd"))
    (folder / "train_info.csv").write_text(text, encoding="utf-8")
    return folder


def test_painter_by_numbers(tmp_path: Path, build: Build) -> None:
    text = HEADER + (
        'b.png,Anna,"A view, with trees",Realism,landscape,1885\n'
        "a.png,,,Baroque,,c.1650\n"
        "d.png,Émile,Ü,Realism,portrait,1901.0\n"
        "c.png,Bo,,,,\n"
    )
    store = build(paintings(tmp_path / "x", text))
    index = store.index
    assert index["origin"].to_list() == [f"images/{name}.png" for name in "badc"]
    assert store.card["attributes"] == ["artist", "title", "genre", "date"]
    assert index["title"][0] == "A view, with trees"
    assert index["artist"].isna().to_list() == [False, True, False, False]
    assert index["date"].to_list()[:3] == ["1885", "c.1650", "1901.0"]
    assert store.classes == ["Baroque", "Realism"]
    assert index["label"].isna().to_list() == [False, False, False, True]


def test_the_largest_and_the_named_classes(tmp_path: Path, build: Build) -> None:
    text = HEADER + "".join(
        f"{name}.png,,,{style},,\n" for name, style in zip("abcd", "zyyx", strict=True)
    )
    folder = paintings(tmp_path / "x", text)
    assert build(folder, classes=1).classes == ["y"]
    assert build(folder, classes=2).classes == ["x", "y"]  # of two equal classes the first by name
    store = build(folder, classes=["z"])
    assert store.classes == ["z"]
    assert store.card["left_out"] == {"classes": 3, "limit": 0}
    with pytest.raises(UserError, match=r"data\.mine\.classes: no class 'yy' .*mean 'y'"):
        build(folder, classes=["yy"])


@pytest.mark.parametrize("where", ["", "images/", "train/", "deep/er/"])
def test_files_are_found_in_any_folder(tmp_path: Path, build: Build, where: str) -> None:
    folder = paintings(tmp_path / "x", HEADER + "a.png,,,s,,\nb.png,,,s,,\n", where)
    assert len(build(folder).index) == 2


def test_every_unused_row_and_file_is_on_the_card(tmp_path: Path, build: Build) -> None:
    text = HEADER + (
        "a.png,,,s,,\nmissing.png,,,s,,\na.png,,,t,,\nb.png,,s\n../../etc/passwd,,,s,,\n"
        "d.png,,,s,,\n,,,s,,\n"
    )
    folder = paintings(tmp_path / "x", text)
    write_pictures(folder, "other/d.png", first=9)
    store = build(folder)
    assert store.index["origin"].to_list() == ["images/a.png"]
    assert reasons(store) == {
        "missing.png": "no such file (line 3 of train_info.csv)",
        "images/a.png": "named again in line 4 of train_info.csv",
        "train_info.csv, line 5": "has 3 fields, expected 6",
        "../../etc/passwd": "no such file (line 6 of train_info.csv)",
        "d.png": "2 files of this name (line 7 of train_info.csv)",
        "": "no such file (line 8 of train_info.csv)",
        "images/b.png": "not named in train_info.csv",
        "images/c.png": "not named in train_info.csv",
        "images/d.png": "not named in train_info.csv",
        "other/d.png": "not named in train_info.csv",
    }


def test_other_columns_and_a_split_column(tmp_path: Path, build: Build) -> None:
    text = "file,kind,split,id\na.png,x,train,7\nb.png,y,validation,8\nc.png,x,,9\n"
    folder = paintings(tmp_path / "x", text)
    store = build(folder / "train_info.csv", table={"file": "file", "label": "kind"})
    assert store.index["split"].to_list() == ["train", "valid", "train"]
    assert store.card["attributes"] == ["source_id"]
    assert store.index["source_id"].to_list() == ["7", "8", "9"]


def test_a_split_column_of_other_values_is_an_attribute(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", "filename,style,split\na.png,s,fold1\nb.png,s,fold2\n")
    store = build(folder)
    assert store.index["source_split"].to_list() == ["fold1", "fold2"]


def test_the_csv_with_the_columns_is_chosen(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", HEADER + "a.png,,,s,,\n")
    (folder / "sources.csv").write_text("filename,repository\na.png,somewhere\n")
    assert build(folder).card["kind"] == "table train_info.csv"


def test_two_csv_with_the_columns_are_refused(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", HEADER + "a.png,,,s,,\n")
    (folder / "more.csv").write_text("filename,style\nb.png,s\n")
    with pytest.raises(UserError, match=r"more\.csv and train_info\.csv .*give the path of one"):
        build(folder)
    assert build(folder / "more.csv").index["origin"].to_list() == ["images/b.png"]


def test_a_missing_column_suggests_the_nearest(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", "filename,artist,styles\na.png,x,s\n")
    for source in (folder, folder / "train_info.csv"):
        with pytest.raises(
            UserError,
            match=r"data\.mine\.table\.label: train_info\.csv has no column 'style'; "
            r"did you mean 'styles'\? \(it has filename, artist, styles\)",
        ):
            build(source)
    with pytest.raises(UserError, match=r"table\.file: .* no column 'path'"):
        build(folder, table={"file": "path", "label": "styles"})


def test_split_class_folders_win_over_a_csv(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "train/a/1.png", "valid/b/2.png")
    (folder / "labels.csv").write_text("filename,style\n1.png,other\n")
    assert build(folder).classes == ["a", "b"]
    assert build(folder / "labels.csv").classes == ["other"]


def test_a_csv_without_the_columns_beside_class_folders_is_ignored(
    tmp_path: Path, build: Build
) -> None:
    folder = write_pictures(tmp_path / "x", "a/1.png", "b/2.png")
    (folder / "notes.csv").write_text("when,what\n1,2\n")
    assert build(folder).classes == ["a", "b"]


@pytest.mark.parametrize(
    "content, message",
    [
        ("filename,style\n\xe9.png,s\n".encode("latin1"), "line 2 is not UTF-8"),
        (b'filename,style\n"a.png,s\n', "not a comma-separated table"),
        (b"filename,style,style\na.png,s,s\n", "two columns are called 'style'"),
        (b"", r"no column 'filename' \(it has none\)"),
        (b"filename;style\na.png;s\n", r"by semicolons \(filename;style\), expected commas; save"),
        (
            b"filename\tstyle\na.png\ts\n",
            r"data\.mine\.source: train_info\.csv separates .* by tabs",
        ),
    ],
)
def test_invalid_tables_are_one_line(
    tmp_path: Path, build: Build, content: bytes, message: str
) -> None:
    folder = paintings(tmp_path / "x", "")
    (folder / "train_info.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        build(folder)


def test_a_byte_order_mark_is_not_part_of_the_first_column(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", "\ufefffilename,style\na.png,s\n")
    assert len(build(folder).index) == 1


def test_a_split_column_with_other_values_is_refused(tmp_path: Path, build: Build) -> None:
    head = "filename,artist,title,style,genre,date,split\n"
    text = head + "a.png,,,s,,,train\nb.png,,,s,,,test\nc.png,,,s,,,holdout\n"
    with pytest.raises(UserError, match=r"train_info\.csv: line 4: split is 'holdout', expected"):
        build(paintings(tmp_path / "x", text))


def test_two_columns_with_one_name_in_the_index_are_refused(tmp_path: Path, build: Build) -> None:
    text = "filename,style,id,source_id\na.png,s,1,2\n"
    with pytest.raises(UserError, match="two columns are called 'source_id'; rename one"):
        build(paintings(tmp_path / "x", text))


def test_the_error_names_the_first_line_without_a_split(tmp_path: Path, build: Build) -> None:
    text = "filename,style,split\na.png,s,train\nb.png,s,holdout\nc.png,s,rest\nd.png,s,holdout\n"
    with pytest.raises(UserError, match=r"line 3: split is 'holdout'"):
        build(paintings(tmp_path / "x", text))


def test_a_line_of_too_many_fields_is_ignored_in_the_split_column(
    tmp_path: Path, build: Build
) -> None:
    text = "filename,style,split\na.png,s,train\nb.png,s,t,valid\nc.png,s,test\n"
    store = build(paintings(tmp_path / "x", text))
    assert store.index["split"].to_list() == ["train", "test"]
    assert "has 4 fields, expected 3" in [row["reason"] for row in store.card["rejected"]]


def test_a_table_that_is_a_link_or_hidden_is_read(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", HEADER + "a.png,,,s,,\n")
    (folder / "train_info.csv").rename(tmp_path / "elsewhere.csv")
    for name in ("link.csv", ".hidden.csv"):
        (folder / name).symlink_to(tmp_path / "elsewhere.csv")
        store = build(folder / name, name=name)
        assert store.index["label"].to_list() == ["s"]
        assert name not in [row["origin"] for row in store.card["rejected"]]


def test_spaces_after_commas_are_not_part_of_a_name(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", "style, filename\ns, a.png\nt, b.png \n")
    write_pictures(folder / "images", " a.png", first=9)
    store = build(folder)
    assert store.index["origin"].to_list() == ["images/ a.png", "images/b.png"]
    assert store.index["label"].to_list() == ["s", "t"]


def test_columns_without_a_name_are_skipped(tmp_path: Path, build: Build) -> None:
    folder = paintings(tmp_path / "x", ",filename,style,,\n1,a.png,s,,\n")
    store = build(folder)
    assert store.index["label"].to_list() == ["s"]
    assert store.card["attributes"] == []
