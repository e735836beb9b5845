"""The rows of a .csv or .xlsx file as texts: what a spreadsheet program shows, or an error that says which cell.

No error holds what is in a cell.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from node.errors import Misconfigured

LARGEST_FILE_BYTES = 64 << 20
_LARGEST_UNPACKED_BYTES = 512 << 20
_MOST_ROWS = 2_000_000
_DELIMITERS = (",", ";", "\t")
_FIRST_ROUNDED = 10**15  # a spreadsheet keeps 15 digits of a number


class Problem(StrEnum):
    """What is wrong with a file, a row or a cell."""

    MISSING = "there is no such file"
    UNREADABLE = "it cannot be read"
    TOO_LARGE = "it is too large"
    NOT_UTF8 = "it is not UTF-8; save it as CSV UTF-8"
    NOT_CSV = "it is not CSV: a quotation mark is out of place"
    NOT_XLSX = "it is not an .xlsx file"
    NO_OPENPYXL = "reading .xlsx needs openpyxl (pip install 'deid-node[xlsx]'); or save it as .csv"
    NO_SHEET = "it has no such sheet; see the key 'sheet'"
    NO_HEADER = "the first row must name the columns"
    NO_KEY_COLUMN = "it needs a column Patient_ID or Accession_number"
    NO_NEW_ID_COLUMN = "it needs a column New_ID"
    UNKNOWN_COLUMN = "the column is not known; rename it, or list it in columns.ignore"
    TWICE = "the column is there twice"
    NO_SUCH_COLUMN = "the column that the configuration names is not there"
    A_DATE = "must be a text, not a date; format the column as text"
    NO_TEXT = "must be a text; format the column as text"
    ROUNDED = "a number of more than 15 digits is rounded by spreadsheets; format the column as text"
    AN_ERROR = "is the error of a formula"
    TOO_MANY_CELLS = "it has more cells than there are columns"
    NO_KEY = "needs a Patient_ID or an Accession_number"
    ISSUER_ALONE = "an Issuer needs a Patient_ID"
    NOT_A_KEY = "holds what no attribute of this kind can"
    NOT_A_NEW_ID = "must be 1 to 64 characters of ASCII without \\ ^ = (PS3.5, LO and PN)"
    NOT_A_NEW_ACCESSION = "must be 1 to 16 characters of ASCII without \\ (PS3.5, SH)"
    NOT_A_SHIFT = "must be a whole number of days from -36500 to 36500, and not 0"
    THE_OLD_ONE = "is the old one"
    DUPLICATE = "are for the same patient"
    TWO_SHIFTS = "give one new ID two different shifts"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Where a problem is.

    Attributes
    ----------
    rows
        as a spreadsheet program counts them; empty: the whole file
    column
        likewise; 0: none
    """

    problem: Problem
    rows: tuple[int, ...] = ()
    column: int = 0


class Flawed(Misconfigured):
    """A crosswalk cannot be used; the message names file, row and column, never what is in a cell."""

    def __init__(self, file: str, flaw: Flaw, name: str = "") -> None:
        """Put it in words; `name` is a column's, out of the configuration or this program."""
        rows = f" {'row' if len(flaw.rows) == 1 else 'rows'} {' and '.join(map(str, flaw.rows))}" if flaw.rows else ""
        column = f" column {_letters(flaw.column)}{f' ({name})' if name else ''}" if flaw.column else ""
        place = ",".join(filter(None, (rows, column)))
        super().__init__(f"crosswalk {file}:{place}{':' if place else ''} {flaw.problem.value}")
        self.file, self.flaw, self.name = file, flaw, name

    def __reduce__(self) -> tuple[type[Flawed], tuple[str, Flaw, str]]:
        """Pickle by its parts, so that a worker process can raise it."""
        return (Flawed, (self.file, self.flaw, self.name))


class Wrong(Exception):
    """A flaw, found where the file's name isn't known."""

    def __init__(self, problem: Problem, rows: tuple[int, ...] = (), column: int = 0, name: str = "") -> None:
        """Keep where it is."""
        super().__init__(problem)
        self.flaw, self.name = Flaw(problem, rows, column), name


def _letters(column: int) -> str:
    """Write a column as spreadsheets do: A … Z, AA … and so on."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


Row = tuple[int, list[str]]


def rows_of(data: bytes, suffix: str, sheet: str = "") -> Iterator[Row]:
    """Yield the rows that are not empty, each with its number, the first being 1.

    Raises
    ------
    Wrong
        If the file or a cell can't be read as text.
    """
    rows = _xlsx_rows(data, sheet) if suffix.lower() == ".xlsx" else _csv_rows(data)
    for number, cells in rows:
        if number > _MOST_ROWS:
            raise Wrong(Problem.TOO_LARGE)
        if any(cells):
            yield number, cells


def _csv_rows(data: bytes) -> Iterator[Row]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Wrong(Problem.NOT_UTF8) from None
    header = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            yield number, [cell.strip() for cell in cells]
    except csv.Error:
        raise Wrong(Problem.NOT_CSV, (number + 1,)) from None


def _xlsx_rows(data: bytes, sheet: str) -> Iterator[Row]:
    workbook = _workbook(data)
    try:
        if sheet and sheet not in workbook.sheetnames:
            raise Wrong(Problem.NO_SHEET)
        worksheet = workbook[sheet or workbook.sheetnames[0]]
        if not hasattr(worksheet, "reset_dimensions"):
            raise Wrong(Problem.NO_SHEET)  # a chart
        worksheet.reset_dimensions()  # what a file says of its own size is not always true
        for number, cells in enumerate(worksheet.iter_rows(), 1):
            yield number, [_cell_text(cell, number, column) for column, cell in enumerate(cells, 1)]
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile, SyntaxError):  # a ParseError is a SyntaxError
        raise Wrong(Problem.NOT_XLSX) from None
    finally:
        workbook.close()


def _workbook(data: bytes) -> Any:  # noqa: ANN401  openpyxl has no types
    try:
        import openpyxl  # noqa: PLC0415  an optional extra
    except ImportError:
        raise Wrong(Problem.NO_OPENPYXL) from None
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked_bytes = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile:
        raise Wrong(Problem.NOT_XLSX) from None
    if unpacked_bytes > _LARGEST_UNPACKED_BYTES:
        raise Wrong(Problem.TOO_LARGE)
    try:
        return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
    except Exception:  # noqa: BLE001  whatever openpyxl stumbles over; its message could quote a cell
        raise Wrong(Problem.NOT_XLSX) from None


def _cell_text(cell: Any, row: int, column: int) -> str:  # noqa: ANN401  likewise
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "e":
        raise Wrong(Problem.AN_ERROR, (row,), column)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        raise Wrong(Problem.A_DATE, (row,), column)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Wrong(Problem.NO_TEXT, (row,), column)
    if abs(value) >= _FIRST_ROUNDED:
        raise Wrong(Problem.ROUNDED, (row,), column)
    return str(int(value))
