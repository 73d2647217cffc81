"""What a source is, told by what is there and not by flags.

A folder, or what is in an archive, is taken for the first of these that it can be:

1. an npz of images and their factors, as dSprites comes;
2. COCO instances: a json with images, annotations and categories, at the top or in
   ``annotations/``;
3. IDX files: named as MNIST's are;
4. a table: a CSV at the top with the configured columns — unless all images lie in class folders
   within split folders;
5. folders of images, with or without splits and classes.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from latent_atlas.data.sources import bundled, coco, fetch, folders, idx, npz, tables
from latent_atlas.data.sources.archives import tar_tree, unpack, zip_tree
from latent_atlas.data.sources.items import Asked, Content, FileContent, Source
from latent_atlas.data.sources.trees import Tree, folder_tree, is_image_name
from latent_atlas.data.sources.urls import is_url, shown
from latent_atlas.util.console import UserError
from latent_atlas.util.files import base_folder

# A new kind of source is a file beside this one and a line here.
RECOGNISERS: tuple[Callable[[Tree, Asked], Source | None], ...] = (
    npz.recognise,
    coco.recognise,
    idx.recognise,
    tables.recognise,
    folders.recognise,
)


def open_source(asked: Asked) -> Source:
    """Fetch the source and recognise what it is.

    Raises:
        UserError: if it is not there, or nothing that is known; names the key in params.yaml.
    """
    try:
        return _open(asked)
    except UserError as error:
        if str(error).startswith("data."):
            raise
        raise UserError(f"{asked.key}: {error}") from None
    except OSError as error:  # e.g. an archive of somebody else, or a full disk to unpack on
        where = error.filename or shown(asked.data.source)
        raise UserError(
            f"{asked.key}: {where} cannot be used ({error.strerror or error})"
        ) from None


def _open(asked: Asked) -> Source:
    data = asked.data
    reader = bundled.READERS.get(data.source.partition(":")[0])
    if reader and not is_url(data.source):
        return reader(asked)
    path = fetch.fetch(data.source, asked.key, data.size, data.sha256)
    where = shown(data.source)
    if path.is_dir():
        return _recognise(folder_tree(path, where), asked)
    if not path.is_file():  # a pipe would be waited for without end
        raise UserError(f"{asked.key}: {where} is neither a file nor a folder")
    return _file(path, asked)


def _recognise(tree: Tree, asked: Asked) -> Source:
    if not tree.files and not tree.rejected:
        raise UserError(f"{asked.key}: {tree.where} is empty; expected images")
    tree = tree.unwrapped()
    found = (recognise(tree, asked) for recognise in RECOGNISERS)
    return next(source for source in found if source is not None)


def _file(path: Path, asked: Asked) -> Source:
    where = shown(asked.data.source)
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _recognise(zip_tree(path, where), asked)
    alone = fetch.local_path(asked.data.source) is None
    suffix = path.suffix.lower()
    if suffix in (".csv", ".json"):
        if alone:
            raise UserError(
                f"{asked.key}: {where} names images, but none come with it; give an archive of both"
            )
        read = tables.read_table if suffix == ".csv" else coco.read_json
        base = base_folder(path)
        name = path.relative_to(base).as_posix()
        return read(_around(path, base, name), name, asked)
    plain = unpack(path, where, asked.scratch)
    with plain.open("rb") as file:
        if idx.is_idx(file.read(4)):
            beside: dict[str, Content] = {path.name: FileContent(str(path))}
            tree = Tree(where, beside) if alone else _around(path, path.parent, path.name)
            return idx.read_idx(tree, [path.name], asked)
    if plain.stat().st_size and tarfile.is_tarfile(plain):
        return _recognise(tar_tree(plain, where), asked)
    raise UserError(_unknown(path, head, asked))


def _around(path: Path, folder: Path, name: str) -> Tree:
    """The files of `folder`, with the one that the user named, though it be hidden or a link."""
    tree = folder_tree(folder)
    tree.files[name] = FileContent(str(path))
    tree.rejected = [one for one in tree.rejected if one.origin != name]
    return tree


def _unknown(path: Path, head: bytes, asked: Asked) -> str:
    what = f"{asked.key}: {shown(asked.data.source)}"
    expected = "expected a folder, a zip or tar archive, an npz, a CSV, a COCO json or an IDX file"
    if not head:
        return f"{what} is an empty file; {expected}"
    if path.suffix and is_image_name(path.name):
        return f"{what} is a single image; give the folder it lies in"
    begin = head[:8].decode("latin1").encode("unicode_escape").decode()
    return f"{what} begins with {begin!r}; {expected}"
