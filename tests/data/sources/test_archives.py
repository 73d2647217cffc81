"""Archives: the same store as from a folder, and no file at a member's path."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from latent_atlas.data.sources import archives
from latent_atlas.util.console import UserError
from tests.data.sources.pictures import Build, encoded, picture, reasons, write_pictures
from tests.util.server import serving

NAMES = ("train/hat/1.png", "train/shoes/2.png", "valid/hat/3.png", "valid/shoes/4.png")


def zipped(folder: Path, to: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(to, "w") as archive:
        for path in sorted(folder.rglob("*"), reverse=True):
            archive.write(path, prefix + path.relative_to(folder).as_posix())
    return to


def tarred(folder: Path, to: Path, mode: str, prefix: str = "set") -> Path:
    with tarfile.open(to, mode) as archive:  # type: ignore[call-overload]
        archive.add(folder, prefix)
    return to


@pytest.mark.parametrize("kind", ["zip", "zip wrapped", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_gives_the_store_of_its_folder(tmp_path: Path, build: Build, kind: str) -> None:
    folder = write_pictures(tmp_path / "x", *NAMES)
    expected = build(folder, name="folder")
    if kind.startswith("zip"):
        path = zipped(folder, tmp_path / "x.zip", "set/" if "wrapped" in kind else "")
    else:
        _, _, packing = kind.partition(".")
        path = tarred(folder, tmp_path / f"x.{kind}", f"w:{packing}")
    store = build(path)
    assert store.digest == expected.digest
    assert store.card["rejected"] == []


def test_an_archive_is_detected_by_its_content(tmp_path: Path, build: Build) -> None:
    path = zipped(write_pictures(tmp_path / "x", *NAMES), tmp_path / "images")
    assert len(build(path).index) == 4


def test_a_readme_beside_a_single_folder_is_rejected(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", *(f"set/{name}" for name in NAMES))
    (folder / "README.md").write_text("about")
    store = build(zipped(folder, tmp_path / "x.zip"))
    assert store.classes == ["hat", "shoes"]
    assert reasons(store) == {"README.md": "not an image"}


@pytest.mark.parametrize(
    "name", ["../out.png", "a/../../out.png", "/out.png", "..\\out.png", "C:/out.png"]
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_with_a_path_out_of_the_archive_are_rejected(
    tmp_path: Path, build: Build, name: str, kind: str
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = inside / f"x.{kind}"
    members = {"a/1.png": encoded(picture(1)), name: encoded(picture(2))}
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
    else:
        with tarfile.open(path, "w") as tar:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    before = set(tmp_path.rglob("*")) | set(tmp_path.parent.glob("*"))
    store = build(path)
    assert store.index["origin"].to_list() == ["1.png"]
    assert list(reasons(store).values()) == ["path leaves the archive"]
    new = (set(tmp_path.rglob("*")) | set(tmp_path.parent.glob("*"))) - before
    assert not [path for path in new if path.suffix == ".png"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_time_of_day_in_a_name_is_not_a_drive(tmp_path: Path, build: Build, kind: str) -> None:
    folder = write_pictures(tmp_path / "x", "2020-01-01 12:30:05.png", "2.png")
    path = tmp_path / f"x.{kind}"
    zipped(folder, path) if kind == "zip" else tarred(folder, path, "w", prefix="")
    store = build(path)
    assert reasons(store) == {}
    assert sorted(store.index["origin"]) == ["2.png", "2020-01-01 12:30:05.png"]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize(
    "name", ["犬\u3000猫.png", "at 10.32.11\u202fAM.png", "no\u00a0break.png", "👩\u200d🎨.png"]
)
def test_unicode_names_are_taken_and_control_characters_rejected(
    tmp_path: Path, build: Build, kind: str, name: str
) -> None:
    folder = write_pictures(tmp_path / "x", name, "line\nend.png", "esc\x1b[2J.png")
    path = tmp_path / f"x.{kind}"
    if kind == "folder":
        path = folder
    else:
        zipped(folder, path) if kind == "zip" else tarred(folder, path, "w", prefix="")
    store = build(path)
    assert store.index["origin"].to_list() == [name]
    assert list(reasons(store).values()) == ["file name is not printable"] * 2


def test_folders_that_end_in_a_backslash_are_not_files(tmp_path: Path, build: Build) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for seed, folder in enumerate(("train\\hat\\", "train\\shoes\\", "valid\\hat\\")):
            archive.writestr(folder, b"")
            archive.writestr(f"{folder}1.png", encoded(picture(seed)))
    store = build(tmp_path / "x.zip")
    assert reasons(store) == {}
    assert store.index["split"].to_list() == ["train", "train", "valid"]


def test_a_member_without_a_name_is_rejected(tmp_path: Path, build: Build) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("1.png", encoded(picture(1)))
        archive.writestr(zipfile.ZipInfo(""), encoded(picture(2)))
    store = build(tmp_path / "x.zip")
    assert store.index["origin"].to_list() == ["1.png"]
    assert list(reasons(store)) == [""]


def test_links_in_archives_are_rejected(tmp_path: Path, build: Build) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("1.png", encoded(picture(1)))
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        info = tarfile.TarInfo("1.png")
        info.size = len(encoded(picture(1)))
        tar.addfile(info, io.BytesIO(encoded(picture(1))))
        info = tarfile.TarInfo("link.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    for name in ("x.zip", "x.tar"):
        assert reasons(build(tmp_path / name)) == {"link.png": "link or device in the archive"}


def test_the_second_member_of_a_name_is_rejected(tmp_path: Path, build: Build) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive, pytest.warns(UserWarning):
        archive.writestr("1.png", encoded(picture(1)))
        archive.writestr("./1.png", encoded(picture(2)))
        archive.writestr("1.png", encoded(picture(3)))
    store = build(tmp_path / "x.zip")
    assert [row["reason"] for row in store.card["rejected"]] == ["second member of this name"] * 2
    assert len(store.index) == 1
    assert store.index["sha256"][0] == hashlib.sha256(encoded(picture(1))).hexdigest()


def test_a_damaged_member_is_rejected_and_the_others_stay(tmp_path: Path, build: Build) -> None:
    path = zipped(write_pictures(tmp_path / "x", *NAMES), tmp_path / "x.zip")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(NAMES[1]).header_offset
    data[start + 80] ^= 0xFF
    path.write_bytes(data)
    store = build(path)
    assert reasons(store) == {NAMES[1]: "damaged in the archive (BadZipFile)"}
    assert len(store.index) == 3


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_archive_is_refused(
    tmp_path: Path, build: Build, kind: str, share: float
) -> None:
    folder = write_pictures(tmp_path / "x", *NAMES)
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        zipped(folder, path)
    else:
        tarred(folder, path, f"w:{kind.partition('.')[2]}")
    data = path.read_bytes()
    if kind == "tar":  # it ends with up to 10,240 zeros of padding
        data = data.rstrip(b"\0")
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=r"damaged or incomplete.*fetch it again"):
        build(path)
    assert not (tmp_path / "stores").exists()


def test_a_tar_truncated_between_two_members_is_refused(tmp_path: Path, build: Build) -> None:
    path = tarred(write_pictures(tmp_path / "x", *NAMES), tmp_path / "x.tar", "w:")
    with tarfile.open(path) as archive:
        last = archive.getmembers()[-1].offset
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(UserError, match="damaged or incomplete tar archive"):
        build(path)


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_refused(
    tmp_path: Path, build: Build, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "RATIO_FROM_BYTES", 2**20)
    zeros = bytes(8 * 2**20)
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("1.png", zeros)
    else:
        with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as tar:
            info = tarfile.TarInfo("1.png")
            info.size = len(zeros)
            tar.addfile(info, io.BytesIO(zeros))
    with pytest.raises(UserError, match="decompression bomb"):
        build(tmp_path / f"x.{kind}")


def test_a_zip_member_is_read_up_to_the_limit_whatever_its_header_says(tmp_path: Path) -> None:
    from latent_atlas.data.sources.items import RejectedError, ZipContent

    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", bytes(10_000))
    content = ZipContent(tmp_path / "x.zip", 0)
    assert len(content.read(10_000)) == 10_000
    with pytest.raises(RejectedError, match="too large"):
        content.read(9_999)


def test_a_table_in_an_archive_gives_the_labels(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", "images/1.png", "images/2.png")
    (folder / "info.csv").write_text("filename,style\n1.png,Baroque\n2.png,Realism\n")
    store = build(zipped(folder, tmp_path / "x.zip"))
    assert store.index["label"].to_list() == ["Baroque", "Realism"]


def test_an_archive_from_a_url_gives_the_store_of_its_folder(tmp_path: Path, build: Build) -> None:
    folder = write_pictures(tmp_path / "x", *NAMES)
    expected = build(folder, name="folder")
    data = zipped(folder, tmp_path / "x.zip").read_bytes()
    with serving() as server:
        server.files["/x.zip"] = data
        server.cut = [len(data) // 3, len(data) // 3]
        store = build(f"{server.address}/x.zip?token=secret")
    assert len(server.gets()) == 3
    assert store.digest == expected.digest
    assert store.card["source"] == f"{server.address}/x.zip?…"


def test_a_table_from_a_url_is_refused(tmp_path: Path, build: Build) -> None:
    with serving() as server:
        server.files["/info.csv"] = b"filename,style\n1.png,x\n"
        with pytest.raises(UserError, match="names images, but none come with it"):
            build(f"{server.address}/info.csv")
