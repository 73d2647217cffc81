"""A CSV beside images: Painter by Numbers, and any other table with a column of file names.

Which columns hold the file and the class is set by ``table.file`` and ``table.label``; a column
``split`` is the source's own split if it names any (and then nothing else); every other column
becomes an attribute, as text. A file may be named with or without its folder.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from latent_atlas.data.sources.folders import has_class_folders, has_split_class_folders
from latent_atlas.data.sources.items import (
    SPLIT_NAMES,
    Asked,
    Item,
    Rejected,
    RejectedError,
    Source,
)
from latent_atlas.data.sources.trees import Finder, Tree, is_image_name
from latent_atlas.data.store import COLUMNS
from latent_atlas.util.console import UserError

MAX_TABLE_BYTES = 2**30


@dataclass(frozen=True)
class Table:
    """A CSV: the names of its columns, and its rows with their line numbers."""

    name: str
    columns: list[str]
    rows: list[tuple[int, list[str]]]


def recognise(tree: Tree, asked: Asked) -> Source | None:
    """Read the only CSV at the top that has the configured columns.

    Class folders within split folders say the same and more, so they win over a CSV beside them;
    the path of the CSV itself as source chooses the CSV.

    Raises:
        UserError: if several CSVs have the columns, or none has and nothing else tells classes.
    """
    names = [name for name in tree.files if "/" not in name and name.lower().endswith(".csv")]
    if not names or has_split_class_folders(tree):
        return None
    tables = [_read(tree, name) for name in names]
    wanted = {asked.data.table.file, asked.data.table.label}
    fitting = [table for table in tables if wanted <= set(table.columns)]
    if len(fitting) > 1:
        raise UserError(
            f"{asked.key}: {' and '.join(table.name for table in fitting)} in {tree.where} both "
            f"have the columns {' and '.join(sorted(wanted))}; give the path of one of them"
        )
    if fitting:
        return _source(tree, fitting[0], asked)
    if has_class_folders(tree) or not any(map(is_image_name, tree.files)):
        return None
    raise _no_column(tables[0], asked)


def read_table(tree: Tree, name: str, asked: Asked) -> Source:
    """Read the CSV `name`, which the user named.

    Raises:
        UserError: if it lacks a configured column, or is no CSV.
    """
    table = _read(tree, name)
    if not {asked.data.table.file, asked.data.table.label} <= set(table.columns):
        raise _no_column(table, asked)
    return _source(tree, table, asked)


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
    named = [f"source_{column}" if column in COLUMNS else column for column in columns]
    clash = {f"source_{column}" for column in COLUMNS} & {*columns} & {*named}
    twice = sorted(
        {column for column in columns if column and columns.count(column) > 1}
        | {column for column in clash if named.count(column) > 1}
    )
    if twice:
        raise UserError(f"{tree.where}/{name}: two columns are called {twice[0]!r}; rename one")
    return Table(name, columns, rows)


def _no_column(table: Table, asked: Asked) -> UserError:
    only = table.columns[0] if len(table.columns) == 1 else ""
    for name, sign in {"semicolons": ";", "tabs": "\t", "bars": "|"}.items():
        if sign in only:
            return UserError(
                f"{asked.key}: {table.name} parts its columns by {name} ({only}), expected "
                "commas; save it with them, or give the folder of images alone as source"
            )
    options = asked.data.table
    option = "file" if options.file not in table.columns else "label"
    wanted = getattr(options, option)
    near = difflib.get_close_matches(wanted, table.columns, 1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return UserError(
        f"data.{asked.name}.table.{option}: {table.name} has no column {wanted!r}{hint} "
        f"(it has {', '.join(table.columns) or 'none'}); name the right one, or give the folder "
        "of images alone as source"
    )


def _source(tree: Tree, table: Table, asked: Asked) -> Source:
    options = asked.data.table
    file, label = table.columns.index(options.file), table.columns.index(options.label)
    split = _split_column(tree, table)
    others = {
        at: f"source_{column}" if column in COLUMNS else column
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
    """The file that a cell names, whose own spaces at the ends come before those of the table."""
    try:
        return finder.find(name)
    except RejectedError:
        return finder.find(name.strip())


def _split_column(tree: Tree, table: Table) -> int | None:
    """The position of the column ``split`` if its values are names of splits or blank.

    Raises:
        UserError: if some of them are and some are not.
    """
    if "split" not in table.columns:
        return None
    at = table.columns.index("split")
    whole = [one for one in table.rows if len(one[1]) == len(table.columns)]
    lines = {row[at].strip().lower(): line for line, row in reversed(whole)}
    others = lines.keys() - SPLIT_NAMES.keys() - {""}
    if not lines.keys() & SPLIT_NAMES.keys():
        return None
    if others:
        value = min(others, key=lambda one: lines[one])
        raise UserError(
            f"{tree.where}/{table.name}: line {lines[value]}: split is {value!r}, expected one of "
            f"{', '.join(SPLIT_NAMES)} as in other lines; or give the column another name"
        )
    return at
