"""Workbooks read back: what their XML says, without a library."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

NS = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
CELL = re.compile(r"([A-Z]+)(\d+)")

Cells = dict[tuple[int, str], str | float]  # by row (1 is the header) and letters of the column


def sheets_of(path: Path) -> dict[str, Cells]:
    """The cells of each sheet: texts as str, numbers and dates as float. A formula is an error."""
    with zipfile.ZipFile(path) as archive:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        names = [each.attrib["name"] for each in book.iter(f"{NS}sheet")]
        return {
            name: _cells(archive.read(f"xl/worksheets/sheet{number}.xml"))
            for number, name in enumerate(names, 1)
        }


def _cells(xml: bytes) -> Cells:
    found: Cells = {}
    for cell in ElementTree.fromstring(xml).iter(f"{NS}c"):
        assert cell.find(f"{NS}f") is None, "a formula"
        place = CELL.fullmatch(cell.attrib["r"])
        assert place is not None
        text = "".join(each.text or "" for each in cell.iter(f"{NS}t"))
        value = cell.findtext(f"{NS}v")
        is_text = cell.attrib.get("t") == "inlineStr"
        found[int(place[2]), place[1]] = text if is_text else float(value or "nan")
    return found
