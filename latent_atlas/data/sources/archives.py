"""Archives as trees: members are read in place, and nothing is written to their paths."""

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
from latent_atlas.data.sources.trees import Tree, is_printable
from latent_atlas.util.console import UserError
from latent_atlas.util.files import is_hidden

MAX_RATIO = 200
"""Limit for unpacked to packed size: images hardly shrink, so a higher ratio means a bomb."""

RATIO_FROM_BYTES = 2**30
"""Unpacked size up to which any ratio is harmless."""

_CHUNK = 2**20
_PACKINGS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}


def zip_tree(path: Path, where: str) -> Tree:
    """The members of a zip archive.

    Args:
        path: the archive.
        where: its name in messages.

    Raises:
        UserError: if it is damaged, incomplete or a decompression bomb.
    """
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
        # Folders. Some packers write a backslash, and is_dir() fails for a member without a name.
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
    """The members of an unpacked tar archive.

    Args:
        plain: the archive, as `unpack` returns it.
        where: its name in messages.

    Raises:
        UserError: if it is damaged or incomplete.
    """
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
    """Undo gzip, bzip2 or xz.

    Args:
        path: a file, packed or not.
        where: its name in messages.
        scratch: folder for the unpacked file.

    Returns:
        The unpacked file; `path` if it is not packed.

    Raises:
        UserError: if the packed file is damaged, incomplete or a decompression bomb.
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
    """The function that opens a packed file, chosen by its first bytes; None for other files."""
    with path.open("rb") as file:
        head = file.read(6)
    openers = (opener for magic, opener in _PACKINGS.items() if head.startswith(magic))
    return cast("Callable[[Path], BinaryIO] | None", next(openers, None))


def _add(tree: Tree, name: str, content: Content | None, reason: str = "") -> None:
    """Add a member, or reject it if its name leaves the archive or it is not a plain file."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    clean = "/".join(parts)
    if any(is_hidden(part) for part in parts if part not in (".", "..")):
        return
    if not is_printable(name):
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
            f"{where}: {packed} bytes unpack to {unpacked} or more, which is a decompression bomb; "
            "expected an archive of images"
        )
