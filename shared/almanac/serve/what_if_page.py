"""What another daily cap would change: planned in the background, on a copy."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from almanac.config import Config, LoadBalancing
from almanac.errors import AlmanacError, InputError
from almanac.organizations.recorded_config import NamedConfig
from almanac.progress import Progress
from almanac.report.summary import RunSummary
from almanac.report.what_if import WhatIf
from almanac.report.what_if_page import weeks_chart, what_if_tables
from almanac.runs.run_options import RunOptions
from almanac.runs.what_if import compare_plans
from almanac.serve.jobs import BackgroundJob
from almanac.serve.pages import page
from almanac.serve.site import About, Site, Stamp

WAIT_SECONDS = 0.6
STEP = Decimal("0.5")  # percent, of the slider
LEAST_TOP = Decimal(20)  # percent at the right end of the slider, at least


def what_if(site: Site) -> Response:
    """Return the form, and the comparison for the cap in the address if it was started."""
    about = site.about()
    text = request.args.get("cap", "")
    cap = read_cap(text) if text else None
    job = site.jobs.found(_key(about.stamp, cap)) if cap is not None else None
    if job is not None:
        job.ended.wait(WAIT_SECONDS)
    failed = job.error if job is not None and job.ended.is_set() else ""
    running = job is not None and not job.ended.is_set()
    found = job.result if job is not None and isinstance(job.result, WhatIf) else None
    now = cap_of(about.config)
    tables = {table.name: table for table in what_if_tables(found)} if found else {}
    return page(
        site,
        "what_if_cap.html.j2",
        "What if",
        about=about,
        refresh=url_for("what_if", cap=plain(cap)) if running and cap is not None else "",
        now=now,
        cap=cap if cap is not None else now,
        top=min(Decimal(100), max(LEAST_TOP, 2 * now)),
        step=STEP,
        plain=plain,
        asked=cap is not None and job is None,
        job=job if running else None,
        failed=failed,
        found=found,
        tables=tables,
        weeks=weeks_chart(found) if found else None,
    )


def compare(site: Site) -> AnyResponse:
    """Start the comparison for the cap that the form sends, and lead to its page."""
    about = site.about()
    cap = read_cap(request.form.get("cap", ""))
    start(site, about, cap)
    return redirect(url_for("what_if", cap=plain(cap)), 303)


def start(site: Site, about: About, cap: Decimal) -> BackgroundJob:
    """Return the comparison of the configuration with one that has another cap, in percent."""
    old = NamedConfig(about.config, about.config_words)
    new = NamedConfig(with_cap(about.config, cap), f"a cap of {plain(cap)}%")
    options = RunOptions(as_of=about.as_of, dry_run=True)

    def work(progress: Progress) -> WhatIf:
        with site.agency.open(whole=True, steady=False) as source:
            found: RunSummary = compare_plans(source.path, old, new, options, progress)
        if found.what_if is None:
            raise AlmanacError("the two plans could not be compared")
        return found.what_if

    return site.jobs.start(_key(about.stamp, cap), work)


def cap_of(config: Config) -> Decimal:
    """Return the cap of a configuration in percent of the contacts."""
    return 100 * Decimal(str(config.load_balancing.daily_send_percentage_cap))


def with_cap(config: Config, percent: Decimal) -> Config:
    """Return the configuration with another cap."""
    settings = config.load_balancing.model_dump()
    settings["daily_send_percentage_cap"] = float(percent / 100)
    balancing = LoadBalancing.model_validate(settings)
    return config.model_copy(update={"load_balancing": balancing})


def plain(percent: Decimal) -> str:
    """Return a number without zeros at its end and without an exponent."""
    return f"{percent.normalize():f}"


def read_cap(text: str) -> Decimal:
    """Return a cap in percent; raise InputError unless it is above 0 and at most 100."""
    try:
        cap = Decimal(text.strip())
    except InvalidOperation:
        cap = Decimal(-1)
    if not cap.is_finite() or not Decimal("0.001") <= cap <= 100:
        raise InputError(f"cap: {text[:40]!r} is not a percentage from 0.001 to 100")
    return round(cap, 3)


def _key(stamp: Stamp, cap: Decimal | None) -> tuple[object, ...]:
    return ("what-if", stamp, None if cap is None else cap.normalize())
