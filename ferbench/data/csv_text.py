"""Tables that people wrote, as text: commas, semicolons or tabs part the cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from ferbench.errors import DataError


def csv_lines(text: str, name: str, delimiters: str = ",;\t") -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that is not blank, with the line's number.

    Of ``delimiters`` that one parts them of which the first such line has most. Raises DataError that names the line
    where a quotation mark has no end, or says that ``name`` is empty.
    """
    delimiter = max(delimiters, key=text.lstrip("\r\n ").partition("\n")[0].count)
    # Bytes, since StringIO takes four of them for each letter of a long table.
    lines = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    empty = True
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                empty = False
                yield reader.line_num, cells
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: {error}.") from None
    if empty:
        raise DataError(f"{name} is empty.")
