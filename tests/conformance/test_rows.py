"""Each row of the conformance table, against namegate."""

import pytest

from rows import NotApplicable, all_rows, time_limit

CHECKED = [row for row in all_rows() if row.check]


@pytest.mark.parametrize("row", CHECKED, ids=[row.id for row in CHECKED])
def test_row(server, row):
    server.begin()
    try:
        with time_limit():
            row.check(server)
    except NotApplicable as error:
        assert row.choice, "namegate has a row that is not applicable: %s" % error
    finally:
        server.end()
        server.program.check_alive()
        if row.restart:
            server.restart()
