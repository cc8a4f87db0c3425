"""Tables that people wrote, as text."""

from __future__ import annotations

import pytest

from ferbench import DataError, csv_lines


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_first_line_says_what_parts_the_cells(delimiter: str, end: str) -> None:
    text = end.join(["", "id,name", "", '1,"a', 'b"', " , ", "2,ü"]).replace(",", delimiter)
    assert list(csv_lines(text, "t.csv")) == [(2, ["id", "name"]), (5, ["1", f"a{end}b"]), (7, ["2", "ü"])]


def test_a_delimiter_that_is_known_is_not_guessed() -> None:
    assert list(csv_lines("a;b;c,d", "t.csv", ",")) == [(1, ["a;b;c", "d"])]


@pytest.mark.parametrize(
    ("text", "words"),
    [("\n \n", "t.csv is empty"), ('a,b\n1,"x\ny', "t.csv, line 3: unexpected end of data")],
)
def test_what_is_no_table_is_named_with_its_line(text: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        list(csv_lines(text, "t.csv"))
