"""Published figures: CSV files that were written by hand, checked before anything is compared."""

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
    """The rows of a CSV of published figures; no rows where there is no file.

    Args:
        path: of the file.
        texts: its columns of names, never empty.
        numbers: its columns of numbers; empty where nothing was published.
        key: the columns that tell a row from the others, never empty; by default `texts`.
        whole: those of `numbers` that are whole.

    Raises:
        UserError: naming a column that is missing, a cell that is empty or no number, or a row that
            stands there twice.
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
    if not isinstance(table.index, pd.RangeIndex):  # pandas then takes the first for names of rows
        raise UserError(
            f"{path}: the rows have more cells than the first line has names; "
            "remove what is over, such as commas at their ends"
        )
    for name in texts:
        _check(path, table[name], table[name].isna(), "name")
    for name in numbers:
        wrong = _wrong_numbers(table[name], needed=name in key, whole=name in whole)
        _check(path, table[name], wrong, "whole number" if name in whole else "number")
    _check_once(path, table, key)
    return table


def _wrong_numbers(column: pd.Series, needed: bool, whole: bool) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    return numbers.isna() & (column.notna() | needed) | (numbers.mod(1).ne(0) & whole)


def _check(path: Path, column: pd.Series, wrong: pd.Series, expected: str) -> None:
    """Raise UserError at the first cell of a column that is `wrong`."""
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        found = "empty" if pd.isna(column[row]) else repr(str(column[row]))
        raise UserError(f"{path}: line {row + 2}: {column.name} is {found}, expected a {expected}")


def _check_once(path: Path, table: pd.DataFrame, key: Sequence[str]) -> None:
    """Raise UserError if two rows are of the same `key`."""
    twice = table.duplicated(list(key))
    if twice.any():
        row = int(twice.to_numpy().argmax())
        values = [table[name][row] for name in key]
        parts = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in zip(key, values, strict=True)
        ]
        raise UserError(
            f"{path}: line {row + 2}: {', '.join(parts)} stands there twice; remove one"
        )
