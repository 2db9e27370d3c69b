"""Logs as Cloud Logging reads them, and nobody's address in them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from almanac.logs import bound, configure, get_log


@pytest.fixture(autouse=True)
def configuration() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure("INFO", stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_an_entry_of_cloud_logging(stream: io.StringIO) -> None:
    get_log().info("shard planned", contacts=50_000, seconds=1.25)
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "severity": "INFO",
        "message": "shard planned",
        "contacts": 50_000,
        "seconds": 1.25,
    }


def test_what_is_bound_is_on_every_line_until_the_end(stream: io.StringIO) -> None:
    with bound(org_id="206", run_id="2026-11-21-daily"):
        with bound(shard=3):
            get_log().info("a")
        get_log().warning("b")
    get_log().error("c")
    keys = [(x.get("org_id"), x.get("shard"), x["severity"]) for x in lines(stream)]
    assert keys == [("206", 3, "INFO"), ("206", None, "WARNING"), (None, None, "ERROR")]


def test_an_exception_is_told_with_its_trace(stream: io.StringIO) -> None:
    try:
        raise ValueError("contact ann@example.org is odd")
    except ValueError:
        get_log().exception("failed")
    (line,) = lines(stream)
    assert line["severity"] == "ERROR"
    assert "ValueError: contact [e-mail] is odd" in line["exception"]
    assert "Traceback" in line["exception"]


def test_levels_below_are_not_written(stream: io.StringIO) -> None:
    get_log().debug("quiet")
    assert lines(stream) == []
    configure("DEBUG", stream)
    get_log().debug("loud")
    assert [line["severity"] for line in lines(stream)] == ["DEBUG"]


def test_the_command_line_can_be_silent() -> None:
    stream = io.StringIO()
    configure(None, stream)
    get_log().critical("nothing")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "value",
    [
        "ann@example.org",
        "mail to <ann@example.org>, now",
        "Ann.B+x@mail.example.co.uk",
        {"deep": [{"er": ("ann@example.org",)}]},
        {"ann@example.org": 1},
        b"ann@example.org",
        {"ann@example.org"},
        ValueError("ann@example.org"),
        "ännchen@exämple.org",
        "x" * 300 + "ann@example.org",
        "@" * 10_000 + "ann@example.org",
        "a" * 7_990 + " ann@example.org",
    ],
)
def test_no_address_gets_into_a_log(stream: io.StringIO, value: object) -> None:
    with bound(who=value):
        get_log().info(f"about {value}", value=value)
    text = stream.getvalue()
    assert "ann@" not in text
    assert "@example" not in text
    assert "nchen@" not in text


@given(
    local=st.from_regex(r"[A-Za-z0-9._%+-]{1,40}", fullmatch=True),
    domain=st.from_regex(r"[A-Za-z0-9.-]{1,40}\.[A-Za-z]{2,10}", fullmatch=True),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_address_that_planning_accepts_gets_into_a_log(
    local: str, domain: str, before: str, after: str
) -> None:
    stream = io.StringIO()
    configure("INFO", stream)
    get_log().info(f"{before}{local}@{domain}{after}")
    assert f"{local}@{domain}" not in lines(stream)[0]["message"]


def test_before_it_is_configured_nothing_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    structlog.reset_defaults()
    get_log().critical("nothing")
    assert capsys.readouterr() == ("", "")


def test_a_text_without_end_is_cut(stream: io.StringIO) -> None:
    get_log().info("a", value="x" * 1_000_000)
    assert len(stream.getvalue()) < 10_000
