"""Prints the `almanac explain` command for a contact of a planned database that gets nothing."""

from __future__ import annotations

import argparse

import apsw

NOTHING = """
    SELECT contact_id FROM email_schedules
    GROUP BY contact_id
    HAVING min(status) = 'skipped' AND max(status) = 'skipped'
    ORDER BY count(DISTINCT skip_reason) DESC, contact_id
    LIMIT 1
"""


def main() -> None:
    """Looks for the contact whose messages are skipped for the most reasons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database")
    parser.add_argument("--as-of", required=True)
    args = parser.parse_args()
    connection = apsw.Connection(args.database, flags=apsw.SQLITE_OPEN_READONLY)
    for (contact,) in connection.execute(NOTHING):
        print(f"Contact {contact} gets nothing. To see why:")
        print(
            f"  .venv/bin/almanac explain {args.database} --contact {contact} --as-of {args.as_of}"
        )


if __name__ == "__main__":
    main()
