"""Files with relative names, in a folder or in an archive."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from unicodedata import category

from latent_atlas.data.sources.items import (
    SPLIT_NAMES,
    Content,
    FileContent,
    Rejected,
    RejectedError,
)
from latent_atlas.util.console import UserError
from latent_atlas.util.files import walk

IMAGE_SUFFIXES = frozenset(
    f".{name}"
    for formats in (
        ("jpg", "jpeg", "jpe", "jfif", "jp2", "j2k", "png", "webp", "avif", "gif"),
        ("bmp", "dib", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"),
    )
    for name in formats
)

_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


@dataclass
class Tree:
    """Files by relative name.

    Attributes:
        where: name of the tree in messages.
        files: relative name → access to the bytes, sorted by the parts of the name.
        rejected: entries that cannot be taken, e.g. a name that leaves the archive.
    """

    where: str
    files: dict[str, Content] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def folders(self) -> list[str]:
        """The folders at the top that hold a file at any depth."""
        return list(dict.fromkeys(name.split("/")[0] for name in self.files if "/" in name))

    def unwrapped(self) -> Tree:
        """The tree without a single folder around all images, as many archives have one."""
        folders = self.folders()
        loose = [name for name in self.files if "/" not in name]
        if len(folders) != 1 or folders[0].lower() in SPLIT_NAMES or any(map(_is_data, loose)):
            return self
        prefix = f"{folders[0]}/"
        return Tree(
            f"{self.where}/{folders[0]}",
            {
                name[len(prefix) :]: content
                for name, content in self.files.items()
                if name.startswith(prefix)
            },
            self.rejected + [Rejected(name, "not an image") for name in loose],
        ).unwrapped()

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a file that describes images, e.g. a CSV.

        Raises:
            UserError: if it cannot be read, or is larger than `limit`.
        """
        try:
            return self.files[name].read(limit)
        except RejectedError as error:
            raise UserError(f"{self.where}/{name}: {error}") from None


class Finder:
    """Search for the files that a table names, with or without their folder."""

    def __init__(self, tree: Tree) -> None:
        self._files = tree.files
        self._by_last_part: dict[str, list[str]] = defaultdict(list)
        for name in tree.files:
            self._by_last_part[name.rpartition("/")[2]].append(name)

    def find(self, name: str) -> str:
        """The only file with the path `name`, or whose path ends in it.

        Raises:
            RejectedError: if there is none, or more than one.
        """
        path = "/".join(PurePosixPath(name.replace("\\", "/")).parts)
        if path in self._files:
            return path
        last = path.rpartition("/")[2]
        files = [file for file in self._by_last_part[last] if file.endswith(f"/{path}")]
        if not last or not files:
            raise RejectedError("no such file")
        if len(files) > 1:
            raise RejectedError(f"{len(files)} files of this name")
        return files[0]


def has_suffix(name: str) -> bool:
    """Whether the name of a file ends in a suffix; ``LICENSE`` and ``.png`` do not."""
    stem, dot, _ = name.rpartition("/")[2].rpartition(".")
    return bool(dot and stem)


def is_image_name(name: str) -> bool:
    """Whether a file with this name is decoded: it has the suffix of an image format, or none."""
    return not has_suffix(name) or f".{name.rpartition('.')[2].lower()}" in IMAGE_SUFFIXES


def is_printable(name: str) -> bool:
    """Whether a name fits in one line of text: no control character, line end or foreign byte.

    `str.isprintable` is stricter: it refuses the wide space of Japanese names, the narrow one of
    macOS's screenshots, the joiner of two emoji, and characters that are newer than this Python.
    """
    return name.isprintable() or not any(category(sign) in _UNPRINTABLE for sign in name)


def _is_data(name: str) -> bool:
    """Whether a file beside a single folder belongs to the data, so that the folder stays."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in IMAGE_SUFFIXES or suffix in (".csv", ".json") or "ubyte" in name


def _stays_inside(link: Path, root: Path) -> bool:
    """Whether a link leads to a place below `root`; a circular link does not."""
    try:
        return link.resolve().is_relative_to(root)
    except (RuntimeError, OSError):  # a circle: RuntimeError up to Python 3.12
        return False


def folder_tree(folder: Path, where: str = "") -> Tree:
    """The files below `folder`; links that leave it are rejected and not followed.

    Args:
        folder: is not changed.
        where: name of the tree in messages; by default the path.

    Raises:
        UserError: if the folder cannot be read.
    """
    root = folder.resolve()
    tree = Tree(where or str(folder))
    try:
        for name, entry in walk(root):
            path = Path(entry.path)
            if not is_printable(name):
                tree.rejected.append(Rejected(ascii(name)[1:-1], "file name is not printable"))
            elif entry.is_symlink() and not _stays_inside(path, root):
                tree.rejected.append(Rejected(name, "link that leaves the folder"))
            elif not path.is_file():
                tree.rejected.append(Rejected(name, "not a file"))
            else:
                tree.files[name] = FileContent(entry.path)
    except OSError as error:
        raise UserError(
            f"{error.filename or folder}: cannot be read ({error.strerror or error})"
        ) from None
    return tree
