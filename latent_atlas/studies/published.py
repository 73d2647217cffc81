"""Published values: CSV files written by hand, validated before they are compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from latent_atlas.util.console import UserError


def read_table(
    path: Path,
    texts: Sequence[str],
    numbers: Sequence[str],
    *,
    key: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> pd.DataFrame:
    """Read a CSV of published values; no rows where there is no file.

    Args:
        path: of the file.
        texts: columns of names; no cell is empty.
        numbers: columns of numbers; a cell is empty where nothing was published.
        key: columns that identify a row, without empty cells; by default `texts`.
        whole: those of `numbers` that are whole numbers.

    Raises:
        UserError: for a missing column, a cell that is empty or no number, or two rows with the
            same key.
    """
    columns, key = [*texts, *numbers], list(key or texts)
    if not path.exists():
        return pd.DataFrame(columns=columns)
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(texts, str))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as CSV ({error})") from None
    missing = [column for column in columns if column not in table]
    if missing:
        raise UserError(
            f"{path}: no column {missing[0]!r}; expected the columns {', '.join(columns)}"
        )
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first cells for row names
        raise UserError(
            f"{path}: rows have more cells than the header has names; "
            "remove the last cells, e.g. commas at the ends of lines"
        )
    for name in texts:
        _check(path, table[name], table[name].isna(), "name")
    for name in numbers:
        wrong = _wrong_numbers(table[name], needed=name in key, whole=name in whole)
        _check(path, table[name], wrong, "whole number" if name in whole else "number")
    _check_unique(path, table, key)
    return table


def _wrong_numbers(column: pd.Series, needed: bool, whole: bool) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.isna() & (column.notna() | needed) | (numbers.mod(1).ne(0) & whole)


def _check(path: Path, column: pd.Series, wrong: pd.Series, expected: str) -> None:
    """Raise UserError for the first `wrong` cell of a column."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        value = "nothing" if pd.isna(column[row]) else repr(str(column[row]))
        raise UserError(
            f"{path}: line {row + 2}: {column.name}: found {value}, expected a {expected}"
        )


def _check_unique(path: Path, table: pd.DataFrame, key: Sequence[str]) -> None:
    """Raise UserError if two rows have the same `key`."""
    repeated = table.duplicated(list(key))
    if repeated.any():
        row = int(repeated.to_numpy().argmax())
        values = [table[name][row] for name in key]
        parts = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in zip(key, values, strict=True)
        ]
        raise UserError(
            f"{path}: line {row + 2}: {', '.join(parts)} is a second row of the same key; "
            "remove one"
        )
