"""Detection of a source's type from its content.

A folder or an archive is read as the first of these types that fits:

1. an npz of images and their factors, as dSprites has it;
2. COCO instances: a JSON with images, annotations and categories, at the top or in
   ``annotations/``;
3. IDX files with names as in MNIST;
4. a table: a CSV at the top with the configured columns, unless all images lie in class folders
   within split folders;
5. folders of images, with or without splits and classes.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from latent_atlas.data.sources import bundled, coco, fetch, folders, idx, npz, tables
from latent_atlas.data.sources.archives import tar_tree, unpack, zip_tree
from latent_atlas.data.sources.fingerprint import image_folder
from latent_atlas.data.sources.items import FileContent, IngestRequest, Source
from latent_atlas.data.sources.trees import Tree, folder_tree, is_image_name
from latent_atlas.data.sources.urls import is_url, redact
from latent_atlas.util.console import FieldError, UserError

RECOGNISERS: tuple[Callable[[Tree, IngestRequest], Source | None], ...] = (
    npz.recognise,
    coco.recognise,
    idx.recognise,
    tables.recognise,
    folders.recognise,
)
"""A new type of source is a module beside this one and an entry here."""

_ZIP = (b"PK\3\4", b"PK\5\6")
_DESCRIPTIONS = {".csv": tables.read_table, ".json": coco.read_json}


def open_source(request: IngestRequest) -> Source:
    """Fetch the source and detect its type.

    Raises:
        FieldError: if the source does not exist, is damaged, or is of no known type.
    """
    source = request.data.source
    reader = bundled.READERS.get(source.partition(":")[0])
    if reader and not is_url(source):
        return reader(request)
    try:
        path = fetch.fetch(source, request.data.size, request.data.sha256)
        if path.is_dir():
            return _recognise(folder_tree(path, redact(source)), request)
        return _open_file(path, request)
    except UserError as error:
        raise FieldError("source", str(error)) from None
    except OSError as error:  # e.g. an archive of another user, or a full disk
        where = error.filename or redact(source)
        raise FieldError("source", f"{where} cannot be used ({error.strerror or error})") from None


def _recognise(tree: Tree, request: IngestRequest) -> Source:
    if not tree.files and not tree.rejected:
        raise FieldError("source", f"{tree.where} is empty; expected images")
    tree = tree.unwrapped()
    sources = (recognise(tree, request) for recognise in RECOGNISERS)
    return next(source for source in sources if source is not None)


def _open_file(path: Path, request: IngestRequest) -> Source:
    where = redact(request.data.source)
    if not path.is_file():  # a named pipe would block for ever
        raise FieldError("source", f"{where} is neither a file nor a folder")
    with path.open("rb") as file:
        head = file.read(512)
    if head.startswith(_ZIP):
        return _recognise(zip_tree(path, where), request)
    is_download = fetch.local_path(request.data.source) is None
    read_description = _DESCRIPTIONS.get(path.suffix.lower())
    if read_description is not None:
        if is_download:
            raise FieldError(
                "source",
                f"{where} names images, but none come with it; give an archive of both",
            )
        tree, name = _tree_around(path, image_folder(path))
        return read_description(tree, name, request)
    plain = unpack(path, where, request.scratch)
    with plain.open("rb") as file:
        if idx.is_idx(file.read(4)):
            tree = Tree(where, {path.name: FileContent(str(path))})
            if not is_download:
                tree, _ = _tree_around(path, path.parent)
            return idx.read_idx(tree, [path.name], request)
    if plain.stat().st_size and tarfile.is_tarfile(plain):
        return _recognise(tar_tree(plain, where), request)
    raise FieldError("source", f"{where} {_describe(path, head)}")


def _tree_around(path: Path, folder: Path) -> tuple[Tree, str]:
    """The files of `folder`, and the name of `path` among them, even if it is hidden or a link."""
    tree, name = folder_tree(folder), path.relative_to(folder).as_posix()
    tree.files[name] = FileContent(str(path))
    tree.rejected = [entry for entry in tree.rejected if entry.origin != name]
    return tree, name


def _describe(path: Path, head: bytes) -> str:
    """What a file of no known type is, and what was expected."""
    expected = "expected a folder, a zip or tar archive, an npz, a CSV, a COCO JSON or an IDX file"
    if not head:
        return f"is an empty file; {expected}"
    if path.suffix and is_image_name(path.name):
        return "is a single image; give its folder"
    beginning = head[:8].decode("latin1").encode("unicode_escape").decode()
    return f"begins with {beginning!r}; {expected}"
