"""The page is what the rows and the recorded results make of it, and the rows are in order."""

import re

import pytest

import document
from rows import all_rows

ROWS = all_rows()


def test_page():
    """`tests/conformance/compare --document` writes it."""
    assert document.DOCUMENT.read_text() == document.made_of(ROWS, document.read_results())


def test_only_rows_have_results():
    ids = {row.id for row in ROWS}
    for results in document.read_results()["results"].values():
        assert not results.keys() - ids


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_row_is_in_order(row):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.id)
    assert row.holds.endswith(".") and "|" not in row.holds + row.source
    assert bool(row.check) != bool(row.proven_by)


def test_proofs_are_there():
    """The file, and the words of its test."""
    for row in ROWS:
        path, _, test = row.proven_by.partition("::")
        text = (document.ROOT / path).read_text() if path else ""
        assert all(word in text for word in test.split("::")), row.proven_by
