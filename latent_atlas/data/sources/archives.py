"""Archives as trees: members are read in place, and no path of theirs is ever written to."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from latent_atlas.data.sources.items import (
    Content,
    Rejected,
    RejectedError,
    SliceContent,
    ZipContent,
)
from latent_atlas.data.sources.trees import Tree, is_text
from latent_atlas.util.console import UserError
from latent_atlas.util.files import is_hidden

# Images hardly shrink when packed: what unpacks to more than so many times its size is a bomb.
MAX_RATIO = 200
RATIO_FROM_BYTES = 2**30  # smaller archives do no harm at any ratio
_CHUNK = 2**20


def zip_tree(path: Path, where: str) -> Tree:
    """The members of a zip archive, read in place."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise UserError(
            f"{where}: damaged or incomplete zip archive ({error}); fetch it again"
        ) from None
    _check_ratio(sum(member.file_size for member in members), path, where)
    tree = Tree(where)
    for position, member in enumerate(members):
        mode = member.external_attr >> 16
        # Folders; some packers write a backslash, and is_dir() fails where there is no name at all.
        if member.filename.endswith(("/", "\\")):
            continue
        if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
            _add(tree, member.filename, None, "link or device in the archive")
        elif member.flag_bits & 1:
            _add(tree, member.filename, None, "encrypted")
        else:
            _add(tree, member.filename, ZipContent(path, position))
    return _sorted(tree)


def tar_tree(plain: Path, where: str) -> Tree:
    """The members of an unpacked tar archive, read in place."""
    tree = Tree(where)
    try:
        with tarfile.open(plain, "r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    _add(tree, member.name, None, "link or device in the archive")
                else:
                    content = SliceContent(plain, member.offset_data, member.size)
                    _add(tree, member.name, content)
            end = SliceContent(plain, archive.offset, tarfile.BLOCKSIZE)
        if any(end.read()):
            raise ValueError("no end mark")
    except (tarfile.TarError, RejectedError, ValueError, OSError) as error:
        raise UserError(
            f"{where}: damaged or incomplete tar archive ({error}); fetch it again"
        ) from None
    return _sorted(tree)


def unpack(path: Path, where: str, scratch: Path) -> Path:
    """Undo gzip, bzip2 or xz into a file in `scratch`; a file that is not packed stays.

    Raises:
        UserError: if the packed file is damaged, incomplete or a bomb.
    """
    opener = packing(path)
    if opener is None:
        return path
    plain = Path(tempfile.mkdtemp(dir=scratch)) / path.name
    done = 0
    try:
        with opener(path) as packed, plain.open("wb") as file:
            while block := packed.read(_CHUNK):
                done += len(block)
                _check_ratio(done, path, where)
                file.write(block)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise UserError(f"{where}: damaged or incomplete ({error}); fetch it again") from None
    except OSError as error:
        raise UserError(f"{where}: cannot be unpacked ({error.strerror or error})") from None
    return plain


def packing(path: Path) -> Callable[[Path], BinaryIO] | None:
    """What opens the packed file `path`, told by its first bytes; None if it is not packed."""
    with path.open("rb") as file:
        head = file.read(6)
    openers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
    found = (opener for magic, opener in openers.items() if head.startswith(magic))
    return cast("Callable[[Path], BinaryIO] | None", next(found, None))


def _add(tree: Tree, name: str, content: Content | None, reason: str = "") -> None:
    """Take a member, unless its name leaves the archive or it is not a plain file."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    clean = "/".join(parts)
    if any(is_hidden(part) for part in parts if part not in (".", "..")):
        return
    if not is_text(name):
        tree.rejected.append(Rejected(ascii(name)[1:-1], "file name is not printable"))
    elif not parts or ".." in parts or clean.startswith("/") or clean[1:2] == ":":
        tree.rejected.append(Rejected(name, "path leaves the archive"))
    elif content is None:
        tree.rejected.append(Rejected(name, reason))
    elif clean in tree.files:
        tree.rejected.append(Rejected(name, "second member of this name"))
    else:
        tree.files[clean] = content


def _sorted(tree: Tree) -> Tree:
    tree.files = dict(sorted(tree.files.items(), key=lambda file: file[0].split("/")))
    return tree


def _check_ratio(unpacked: int, path: Path, where: str) -> None:
    packed = path.stat().st_size
    if unpacked > max(RATIO_FROM_BYTES, MAX_RATIO * packed):
        raise UserError(
            f"{where}: {packed} bytes that unpack to {unpacked} or more: a decompression bomb, "
            "no archive of images"
        )
