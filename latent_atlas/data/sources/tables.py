"""A CSV beside images: Painter by Numbers, and any other table with a column of file names.

``table.file`` and ``table.label`` name the columns of the file and the class. A column ``split`` is
the source's own split if all its values are names of splits or blank. Every other column becomes an
attribute, as text. A file may be named with or without its folder.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from latent_atlas.config.messages import did_you_mean
from latent_atlas.data.sources.folders import has_class_folders, has_split_class_folders
from latent_atlas.data.sources.items import (
    SPLIT_NAMES,
    IngestRequest,
    Item,
    Rejected,
    RejectedError,
    Source,
)
from latent_atlas.data.sources.trees import Finder, Tree, is_image_name
from latent_atlas.data.store import COLUMNS
from latent_atlas.util.console import FieldError, UserError

MAX_TABLE_BYTES = 2**30


@dataclass(frozen=True)
class Table:
    """A CSV: names of its columns, and rows with their line numbers."""

    name: str
    columns: list[str]
    rows: list[tuple[int, list[str]]]


def recognise(tree: Tree, request: IngestRequest) -> Source | None:
    """Read the only CSV at the top of the tree that has the configured columns.

    Class folders within split folders hold more information, so they win over a CSV beside them.
    The path of the CSV as source chooses the CSV.

    Returns:
        None if there is no such CSV, but images or class folders.

    Raises:
        FieldError: if several CSVs have the columns, or none has them and there are no class
            folders.
    """
    names = [name for name in tree.files if "/" not in name and name.lower().endswith(".csv")]
    if not names or has_split_class_folders(tree):
        return None
    tables = [_read(tree, name) for name in names]
    required = {request.data.table.file, request.data.table.label}
    usable = [table for table in tables if required <= set(table.columns)]
    if len(usable) > 1:
        raise FieldError(
            "source",
            f"{' and '.join(table.name for table in usable)} in {tree.where} both have the columns "
            f"{' and '.join(sorted(required))}; give the path of one of them",
        )
    if usable:
        return _source(tree, usable[0], request)
    if has_class_folders(tree) or not any(map(is_image_name, tree.files)):
        return None
    raise _no_column(tables[0], request)


def read_table(tree: Tree, name: str, request: IngestRequest) -> Source:
    """Read the CSV `name`, which is the source itself.

    Raises:
        FieldError: ``table.file`` or ``table.label``, if it lacks this column.
        UserError: if it is not a CSV in UTF-8.
    """
    table = _read(tree, name)
    if not {request.data.table.file, request.data.table.label} <= set(table.columns):
        raise _no_column(table, request)
    return _source(tree, table, request)


def _read(tree: Tree, name: str) -> Table:
    data = tree.read(name, MAX_TABLE_BYTES)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        columns = [column.strip() for column in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if row]
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{tree.where}/{name}: line {line} is not UTF-8; save the table as UTF-8"
        ) from None
    except csv.Error as error:
        raise UserError(f"{tree.where}/{name}: not a comma-separated table ({error})") from None
    for names in (columns, [_attribute(column) for column in columns]):
        twice = sorted({column for column in names if column and names.count(column) > 1})
        if twice:
            raise UserError(f"{tree.where}/{name}: two columns are called {twice[0]!r}; rename one")
    return Table(name, columns, rows)


def _attribute(column: str) -> str:
    """Name of a column in the index, where that of the store's own columns is taken."""
    return f"source_{column}" if column in COLUMNS else column


def _no_column(table: Table, request: IngestRequest) -> FieldError:
    single = table.columns[0] if len(table.columns) == 1 else ""
    for name, sign in {"semicolons": ";", "tabs": "\t", "bars": "|"}.items():
        if sign in single:
            return FieldError(
                "source",
                f"{table.name} separates its columns by {name} ({single}), expected commas; save "
                "it with commas, or give only the folder of images as source",
            )
    options = request.data.table
    option = "file" if options.file not in table.columns else "label"
    column = getattr(options, option)
    return FieldError(
        f"table.{option}",
        f"{table.name} has no column {column!r}{did_you_mean(column, table.columns)} "
        f"(it has {', '.join(table.columns) or 'none'}); name the right one, or give only the "
        "folder of images as source",
    )


def _source(tree: Tree, table: Table, request: IngestRequest) -> Source:
    options = request.data.table
    file, label = table.columns.index(options.file), table.columns.index(options.label)
    split = _split_column(tree, table)
    others = {
        at: _attribute(column)
        for at, column in enumerate(table.columns)
        if at not in (file, label, split) and column
    }
    finder = Finder(tree)

    def items() -> Iterator[Item | Rejected]:
        yield from tree.rejected
        seen: set[str] = set()
        for line, row in table.rows:
            if len(row) != len(table.columns):
                reason = f"has {len(row)} fields, expected {len(table.columns)}"
                yield Rejected(f"{table.name}, line {line}", reason)
                continue
            try:
                name = _find(finder, row[file])
            except RejectedError as error:
                yield Rejected(row[file], f"{error} (line {line} of {table.name})")
                continue
            if name in seen:
                yield Rejected(name, f"named again in line {line} of {table.name}")
                continue
            seen.add(name)
            yield Item(
                name,
                tree.files[name],
                None if split is None else SPLIT_NAMES.get(row[split].strip().lower()),
                row[label].strip() or None,
                {column: row[at].strip() or None for at, column in others.items()},
            )
        for name in tree.files:
            if name not in seen and name != table.name:
                reason = f"not named in {table.name}" if is_image_name(name) else "not an image"
                yield Rejected(name, reason)

    return Source(f"table {table.name}", items, tuple(others.values()))


def _find(finder: Finder, name: str) -> str:
    """The file that a cell names: exactly, or without spaces at the ends of the cell."""
    try:
        return finder.find(name)
    except RejectedError:
        return finder.find(name.strip())


def _split_column(tree: Tree, table: Table) -> int | None:
    """Position of the column ``split``; None if no value of it is the name of a split.

    Raises:
        UserError: if some values are names of splits, and others are neither that nor blank.
    """
    if "split" not in table.columns:
        return None
    at = table.columns.index("split")
    complete = [entry for entry in table.rows if len(entry[1]) == len(table.columns)]
    lines = {row[at].strip().lower(): line for line, row in reversed(complete)}
    others = lines.keys() - SPLIT_NAMES.keys() - {""}
    if not lines.keys() & SPLIT_NAMES.keys():
        return None
    if others:
        value = min(others, key=lambda other: lines[other])
        raise UserError(
            f"{tree.where}/{table.name}: line {lines[value]}: split is {value!r}, expected one of "
            f"{', '.join(SPLIT_NAMES)} as in other lines; or give the column another name"
        )
    return at
