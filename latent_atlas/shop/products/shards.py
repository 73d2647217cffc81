"""Random access to the original images in the crawl's shards."""

from __future__ import annotations

import tarfile
from pathlib import Path

from PIL import Image

from latent_atlas.data.photo import PhotoError, open_photo
from latent_atlas.util.console import UserError

MAX_PIXELS = 100_000_000


class Shards:
    """The tar files of a crawl, of which only the lists of members are kept in memory.

    Args:
        folder: output of the crawl, with the folder ``shards``.

    Raises:
        UserError: if a shard is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, tuple[int, int]] = {}
        for path in sorted((folder / "shards").glob("*.tar")):
            try:
                with tarfile.open(path, "r:") as archive:
                    for member in archive:
                        name = f"shards/{path.name}/{member.name}"
                        self._places[name] = (member.offset_data, member.size)
            except (OSError, tarfile.TarError) as error:
                raise UserError(
                    f"{path}: damaged shard ({error}); remove {folder} and run `dvc repro scrape`"
                ) from None

    def content(self, path: str) -> bytes:
        """The bytes of the member `path`, ``shards/<shard>/<name>``.

        Raises:
            UserError: if the shards do not contain it.
        """
        if path not in self._places:
            raise UserError(
                f"{self._folder / path}: an image of the table is missing from the shards; remove "
                f"{self._folder} and run `dvc repro scrape`"
            )
        offset, size = self._places[path]
        with (self._folder / Path(path).parent).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def photo(self, path: str) -> Image.Image:
        """The member `path` as an RGB image.

        Raises:
            UserError: if it is missing or cannot be decoded.
        """
        try:
            return open_photo(self.content(path), MAX_PIXELS)
        except PhotoError as error:
            raise UserError(
                f"{self._folder / path}: {error}; remove {self._folder} and run `dvc repro scrape`"
            ) from None
