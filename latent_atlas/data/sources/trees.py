"""Files with relative names, in a folder or in an archive: read, and never written anywhere."""

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

_NO_TEXT = ("Cc", "Cs", "Zl", "Zp")


@dataclass
class Tree:
    """Files by relative name.

    Attributes:
        where: what a message calls it.
        files: relative name → how to get its bytes, sorted by the parts of the name.
        rejected: what lies there and cannot be taken, e.g. a name that leaves the archive.
    """

    where: str
    files: dict[str, Content] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def folders(self) -> list[str]:
        """The folders at the top that hold a file at any depth."""
        return list(dict.fromkeys(name.split("/")[0] for name in self.files if "/" in name))

    def unwrapped(self) -> Tree:
        """The tree without an only folder around everything, as archives have one."""
        folders = self.folders()
        loose = [name for name in self.files if "/" not in name]
        if len(folders) != 1 or folders[0].lower() in SPLIT_NAMES or any(map(_matters, loose)):
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
        """The bytes of a file that describes images, e.g. a CSV; raises UserError."""
        try:
            return self.files[name].read(limit)
        except RejectedError as error:
            raise UserError(f"{self.where}/{name}: {error}") from None


class Finder:
    """Finds the files that a table names, with or without the folder they lie in."""

    def __init__(self, tree: Tree) -> None:
        self._files = tree.files
        self._by_last: dict[str, list[str]] = defaultdict(list)
        for name in tree.files:
            self._by_last[name.rpartition("/")[2]].append(name)

    def find(self, name: str) -> str:
        """The one file called `name`, or whose path ends so.

        Raises:
            RejectedError: if there is none, or more than one.
        """
        wanted = "/".join(PurePosixPath(name.replace("\\", "/")).parts)
        if wanted in self._files:
            return wanted
        last = wanted.rpartition("/")[2]
        found = [one for one in self._by_last[last] if one.endswith(f"/{wanted}")] if last else []
        if len(found) != 1:
            raise RejectedError("no such file" if not found else f"{len(found)} files of this name")
        return found[0]


def has_suffix(name: str) -> bool:
    """Whether the name of a file ends in a suffix, as ``LICENSE`` and ``.png`` do not."""
    stem, dot, _ = name.rpartition("/")[2].rpartition(".")
    return bool(dot and stem)


def is_image_name(name: str) -> bool:
    """Whether a file of this name is worth decoding; its content decides in the end."""
    return not has_suffix(name) or f".{name.rpartition('.')[2].lower()}" in IMAGE_SUFFIXES


def is_text(name: str) -> bool:
    """Whether a name can stand in one line of text: no control sign, line end or foreign byte.

    `str.isprintable` is stricter: it refuses the wide space of Japanese names and the narrow one of
    macOS's screenshots, what joins two emoji, and all signs newer than this Python.
    """
    return name.isprintable() or not any(category(sign) in _NO_TEXT for sign in name)


def _matters(name: str) -> bool:
    """Whether a file beside an only folder says that the folder is not all."""
    suffix = PurePosixPath(name).suffix.lower()
    return suffix in IMAGE_SUFFIXES or suffix in (".csv", ".json") or "ubyte" in name


def _stays(link: Path, root: Path) -> bool:
    """Whether a link leads to a place below `root`; one that runs in circles leads nowhere."""
    try:
        return link.resolve().is_relative_to(root)
    except (RuntimeError, OSError):  # a circle: the first up to Python 3.12
        return False


def folder_tree(folder: Path, where: str = "") -> Tree:
    """The files below `folder`, called `where`; links that leave it are rejected, not followed."""
    root = folder.resolve()
    tree = Tree(where or str(folder))
    try:
        for name, entry in walk(root):
            path = Path(entry.path)
            if not is_text(name):
                tree.rejected.append(Rejected(ascii(name)[1:-1], "file name is not printable"))
            elif entry.is_symlink() and not _stays(path, root):
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
