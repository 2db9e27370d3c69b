"""Columns of `contacts` that probably hold what Almanac reads, under another name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping

from almanac.database.schema import CONTACT_ALIASES
from almanac.database.sql import Columns

# by Almanac's name: other names, in lower case and without what is neither letter nor digit
_OTHER_NAMES = {
    "id": (
        *("contactid", "customerid", "clientid", "memberid"),
        *("contactno", "customerno", "clientno", "contactnumber", "customernumber"),
    ),
    "email": ("emailaddress", "mail", "contactemail", "primaryemail"),
    "zip_code": ("zip", "zip5", "postalcode", "postal", "postcode", "homezip", "mailingzip"),
    "state": ("statecode", "st", "usstate", "province", "homestate", "mailingstate", "stateabbr"),
    "birth_date": ("dob", "dateofbirth", "bday", "birth"),
    "effective_date": (
        *("policyeffectivedate", "policydate", "effdate", "policystartdate", "startdate"),
        *("policystart", "coveragestart", "effectiveon"),
        *("coveragestartdate", "coverageeffectivedate", "effective"),
    ),
    "carrier": ("carriername", "insurancecarrier", "insurer", "insurancecompany"),
    "phone_number": ("phone", "mobile", "mobilephone", "cell", "cellphone", "telephone", "phoneno"),
    "status": ("contactstatus", "customerstatus", "clientstatus", "leadstatus"),
    "failed_underwriting": ("underwritingfailed", "faileduw", "uwfailed"),
    "created_at": ("createdon", "createddate", "datecreated", "created"),
}
_SIMILAR = 0.85  # so that birth_dat is birth_date, and status is not state


def likely_columns(
    columns: Columns, is_empty: Callable[[str], bool] = lambda column: False
) -> dict[str, str]:
    """Return the columns that probably hold what `contacts` seems to lack, by Almanac's name.

    columns: of contacts, as `contact_columns.contacts_named` returns them. is_empty: whether no
    contact has a value in a column of the table, which counts as lacking it, unless it is mapped.
    It is asked only where another column is likely.
    """
    if columns.table is None:
        return {}
    read = {columns.column(name) for name in (*_OTHER_NAMES, *CONTACT_ALIASES.values())}
    free = {_plain(name): name for name in reversed(columns.table.columns) if name not in read}
    found = {}
    for name, others in _OTHER_NAMES.items():
        named = next((free[each] for each in (_plain(name), *others) if each in free), None)
        named = named or _similar(name, free)
        if named is None or name in columns.named:
            continue
        read_there = {name, CONTACT_ALIASES.get(name, name)} & columns.table.columns.keys()
        if not read_there or (all(map(is_empty, read_there)) and not is_empty(named)):
            found[name] = named
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _similar(name: str, free: Mapping[str, str]) -> str | None:
    close = difflib.get_close_matches(_plain(name), free, n=1, cutoff=_SIMILAR)
    return free[close[0]] if close else None
