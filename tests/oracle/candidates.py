"""Candidates: what a contact should get, and for which event (semantics: Candidates, Post-window,
Campaigns)."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from .campaigns import Campaigns, Instance, Target
from .contacts import Contact
from .dates import anniversary, first_of_month, plus
from .hashing import h, splitmix64
from .schedules import Scheduled
from .settings import Config

GLOBAL_UNDERWRITING = "Failed underwriting - global exclusion"
CAMPAIGN_UNDERWRITING = "Failed underwriting - campaign exclusion"
OUTSIDE_TARGETING = "Outside campaign targeting"
OUTSIDE_SPLIT = "Outside campaign split"
OUTSIDE_DATES = "Outside campaign dates"
ANNIVERSARY_DAYS = 180
CAMPAIGN_DAYS = 45
UNSET = date.min  # a date that no step has reached


Identity = tuple[int, str, int, date]  # contact, type, instance or 0, event


@dataclass
class Candidate:
    """One message for one event; the steps of section 6 fill in the lower half."""

    contact: Contact = field(repr=False)
    email_type: str
    instance: int | None
    event: date
    ideal: date
    deadline: date
    priority: int
    email_template: str | None
    sms_template: str | None
    respects_windows: bool = True
    metadata: dict[str, Any] | None = None
    reason: str | None = None  # why it is skipped, once it is

    start: date = UNSET
    latest: date = UNSET
    x: date = UNSET  # the day that the frequency limit is counted with
    lo: date = UNSET
    hi: date = UNSET
    target: date = UNSET
    kept: bool = False
    day: date | None = None  # the day it is finally planned for

    @property
    def is_campaign(self) -> bool:
        return self.email_type.startswith("campaign_")

    @property
    def is_followup(self) -> bool:
        return self.email_type.startswith("followup_")

    @property
    def identity(self) -> Identity:
        return self.contact.id, self.email_type, self.instance or 0, self.event

    @property
    def hash(self) -> int:
        return h(self.contact.id, self.email_type, self.instance, self.event.year)

    @property
    def order(self) -> tuple[Any, ...]:
        """The order in which a contact's own candidates are taken (semantics: Sifting, step 5)."""
        return self.priority, self.ideal, self.email_type, self.instance or 0, self.event

    @property
    def rank(self) -> tuple[Any, ...]:
        """The order in which all candidates are placed (semantics: Daily cap)."""
        return (
            self.priority,
            self.deadline,
            self.hash,
            self.contact.id,
            self.email_type,
            self.instance or 0,
            self.event,
        )


@dataclass(frozen=True)
class Run:
    """What all contacts of a run have in common."""

    as_of: date
    t0: date
    config: Config
    campaigns: Campaigns

    @property
    def horizon(self) -> date:
        return plus(self.as_of, self.config["horizon_days"])

    def exists(self, ideal: date, deadline: date) -> bool:
        """Whether a candidate with these dates is one of this run."""
        return deadline >= self.t0 and ideal <= self.horizon

    @property
    def aep_enabled(self) -> bool:
        replaced = self.campaigns.aep_replaced(self.as_of, self.horizon)
        return self.config["aep"]["enabled"] and not replaced

    def aep_dates(self, first: date, last: date) -> list[date]:
        """The AEP dates of allowed years in [first, last]."""
        month, day = (int(part) for part in self.config["aep"]["date"].split("-"))
        leap = date(2000, month, day)  # so that 02-29 is an AEP date like any other
        years = self.config["aep"]["years"]
        allowed = [
            anniversary(leap, year)
            for year in range(max(1, first.year), min(9999, last.year) + 1)
            if years is None or year in years
        ]
        return [one for one in allowed if first <= one <= last]


def handled(rows: list[Scheduled], kind: str, ideal: date) -> bool:
    """Whether an anniversary email of that time is committed already (semantics: Candidates)."""
    kinds = {kind, "campaign_aep"} if kind == "aep" else {kind}
    return any(
        row.kind in kinds
        and row.send_date is not None
        and abs((row.send_date - ideal).days) <= ANNIVERSARY_DAYS
        for row in rows
    )


@dataclass(frozen=True)
class Anniversaries:
    """The yearly emails about one date of a contact: its birth or effective date."""

    email_type: str
    anchor: date
    days_before: int
    first_months: int  # 0: no months rule

    def in_year(self, year: int) -> tuple[date, date, date] | None:
        """(event, ideal, deadline) of a year, if there is such an email at all."""
        if not self.anchor.year < year <= 9999:
            return None
        event = anniversary(self.anchor, year)
        ideal = plus(event, -self.days_before)
        if self.first_months:
            ideal = max(ideal, first_of_month(self.anchor, self.first_months))
        deadline = plus(event, -1) if self.days_before else event
        return (event, ideal, deadline) if ideal <= deadline else None

    def first(self, t0: date) -> tuple[date, date, date] | None:
        """The first one whose deadline is not before T0."""
        # Far enough for any months rule; each year is tested by its own dates.
        start = max(self.anchor.year, t0.year) - 1
        for year in range(start, start + self.first_months // 12 + self.days_before // 365 + 6):
            found = self.in_year(year)
            if found is not None and found[2] >= t0:
                return found
        return None

    def ideal_within(self, start: date, end: date) -> bool:
        """Whether the ideal date of any year lies in [start, end]."""
        margin = self.days_before // 365 + 2
        found = [self.in_year(y) for y in range(start.year - margin, end.year + margin + 1)]
        return any(one is not None and start <= one[1] <= end for one in found)


def anniversaries(contact: Contact, config: Config) -> list[Anniversaries]:
    """The contact's birthday and effective-date emails, as far as it has the dates."""
    timing = config["timing"]
    found = []
    if contact.birth is not None:
        found.append(Anniversaries("birthday", contact.birth, timing["birthday_days_before"], 0))
    if contact.effective is not None:
        found.append(
            Anniversaries(
                "effective_date",
                contact.effective,
                timing["effective_date_days_before"],
                config["organization"]["effective_date_first_email_months"],
            )
        )
    return found


def standard(
    contact: Contact, run: Run, mail: str, event: date, ideal: date, deadline: date
) -> Candidate:
    """A candidate of a built-in email."""
    config = run.config
    return Candidate(
        contact=contact,
        email_type=mail,
        instance=None,
        event=event,
        ideal=ideal,
        deadline=deadline,
        priority=config["priorities"][mail],
        email_template=config["templates"][mail],
        sms_template=config["sms"][mail],
    )


def anniversary_candidates(contact: Contact, run: Run, rows: list[Scheduled]) -> list[Candidate]:
    """Birthday and effective date (semantics: Candidates)."""
    found = []
    for kind in anniversaries(contact, run.config):
        dates = kind.first(run.t0)
        if dates is None or not run.exists(dates[1], dates[2]):
            continue
        if handled(rows, kind.email_type, dates[1]):
            continue
        candidate = standard(contact, run, kind.email_type, *dates)
        if _globally_excluded(contact, run):
            candidate.reason = GLOBAL_UNDERWRITING
        found.append(candidate)
    return found


def _globally_excluded(contact: Contact, run: Run) -> bool:
    flag = run.config["organization"]["exclude_failed_underwriting_global"]
    return flag and contact.failed_underwriting


def aep_candidates(contact: Contact, run: Run, rows: list[Scheduled]) -> list[Candidate]:
    """The built-in AEP email (semantics: Candidates)."""
    if not run.aep_enabled:
        return []
    valid = run.config["aep"]["valid_days"]
    live = [
        day
        for day in run.aep_dates(plus(run.t0, -valid), run.horizon)
        if run.exists(day, plus(day, valid))
    ]
    if not live or handled(rows, "aep", live[0]):
        return []
    found = standard(contact, run, "aep", live[0], live[0], plus(live[0], valid))
    lender = run.campaigns.aep_lender(run.as_of, run.horizon)
    if lender is not None:
        found.priority = lender.priority
        found.email_template = lender.email_template or found.email_template
        found.sms_template = lender.sms_template or found.sms_template
    return [found]


def trigger_date(target: Target | None, instance: Instance, as_of: date) -> date:
    """The event date of a campaign email (semantics: Campaigns)."""
    if target is not None and target.trigger is not None:
        return target.trigger
    start = instance.active_start
    if target is not None and target.created and (start is None or target.created > start):
        return target.created
    return start or instance.created or as_of


def campaign_dates(contact: Contact, one: Instance, trigger: date, valid: int) -> tuple[date, date]:
    """(ideal, deadline) of a campaign email; a deadline before the ideal date skips it."""
    if one.spread is not None:
        first, last = one.spread
        ideal = first + timedelta(days=contact.id % ((last - first).days + 1))
        deadline = max(last, plus(ideal, valid))
    else:
        ideal = plus(trigger, -one.days_before_event)
        if one.active_start is not None:
            ideal = max(ideal, one.active_start)
        before_event = one.days_before_event > 0 and ideal < trigger
        deadline = plus(trigger, -1) if before_event else plus(ideal, valid)
    if one.active_end is not None:
        deadline = min(deadline, one.active_end)
    return ideal, deadline


def matches(contact: Contact, one: Instance) -> bool:
    """Whether a contact is in an instance's states and carriers."""
    if contact.state is None and (one.states is not None or one.carriers is not None):
        return False
    in_state = one.states is None or contact.state in one.states
    return in_state and (one.carriers is None or contact.carrier.upper() in one.carriers)


def in_split(contact: Contact, one: Instance) -> bool:
    """Whether the contact is in the instance's part of its group."""
    if one.split is None:
        return True
    salt = splitmix64(zlib.crc32(f"split:{one.split['group']}".encode()))
    share = splitmix64((contact.id % (1 << 64)) ^ salt) % 100
    return bool(one.split["from"] <= share < one.split["to"])


def _triggers(contact: Contact, run: Run, one: Instance) -> dict[date, Target | None]:
    """The trigger dates, each with the first target that comes to it."""
    found: dict[date, Target | None] = {}
    if one.type.target_all_contacts:
        if not matches(contact, one) or not in_split(contact, one):
            return {}
        if not one.when_created:
            return {trigger_date(None, one, run.as_of): None}
        day = contact.created
        old = day is None or (one.active_start is not None and day < one.active_start)
        return {} if day is None or old else {day: None}
    for target in run.campaigns.targets:
        if (target.contact_id, target.instance) == (contact.id, one.id) and target.status != "sent":
            found.setdefault(trigger_date(target, one, run.as_of), target)
    return found


def _handles(row: Scheduled, trigger: date, ideal: date, from_row: bool) -> bool:
    """Whether a committed row of the instance is the message for the target."""
    if row.event == trigger:
        return True
    if from_row and row.has_ideal:
        return False
    return row.send_date is not None and abs((row.send_date - ideal).days) <= CAMPAIGN_DAYS


def _campaign_reason(contact: Contact, run: Run, one: Instance, in_time: bool) -> str | None:
    if not matches(contact, one):
        return OUTSIDE_TARGETING
    if not in_split(contact, one):
        return OUTSIDE_SPLIT
    if not in_time:
        return OUTSIDE_DATES
    if _globally_excluded(contact, run) and one.type.name != "aep":
        return GLOBAL_UNDERWRITING
    if one.skip_failed_underwriting and contact.failed_underwriting:
        return CAMPAIGN_UNDERWRITING
    return None


def campaign_candidates(
    contact: Contact,
    run: Run,
    rows: list[Scheduled],
    instance_of: Callable[[Scheduled], int | None],
) -> list[Candidate]:
    """Campaign emails (semantics: Campaigns), in the order of instances and trigger dates."""
    found = []
    for one in run.campaigns.taking_part(run.as_of, run.horizon):
        committed = [row for row in rows if instance_of(row) == one.id]
        triggers = _triggers(contact, run, one)
        for trigger, target in sorted(triggers.items(), key=lambda pair: pair[0]):
            valid = run.config["timing"]["campaign_valid_days"]
            ideal, deadline = campaign_dates(contact, one, trigger, valid)
            from_row = target is not None and target.trigger is not None
            done = any(_handles(row, trigger, ideal, from_row) for row in committed)
            if done or not run.exists(ideal, deadline):
                continue
            found.append(
                Candidate(
                    contact=contact,
                    email_type=f"campaign_{one.type.name}",
                    instance=one.id,
                    event=trigger,
                    ideal=ideal,
                    deadline=deadline,
                    priority=one.priority,
                    email_template=one.email_template,
                    sms_template=one.sms_template,
                    respects_windows=one.respect_exclusion_windows,
                    metadata={"target": target.data} if target and target.data else None,
                    reason=_campaign_reason(contact, run, one, in_time=deadline >= ideal),
                )
            )
    return found


def post_window_candidates(
    contact: Contact, run: Run, rows: list[Scheduled], campaigns: list[Candidate]
) -> list[Candidate]:
    """Make-up emails after a window that swallowed something (semantics: Post-window)."""
    organization = run.config["organization"]
    if not organization["enable_post_window_emails"] or _globally_excluded(contact, run):
        return []
    valid = run.config["timing"]["post_window_valid_days"]
    lost = [one.ideal for one in campaigns if one.respects_windows and one.reason is None]
    found = []
    for start, end in contact.windows(plus(run.t0, -valid - 1), run.horizon):
        ideal = plus(end, 1)
        deadline = plus(ideal, valid)
        if not run.exists(ideal, deadline):
            continue
        swallowed = (
            any(kind.ideal_within(start, end) for kind in anniversaries(contact, run.config))
            or (run.aep_enabled and run.aep_dates(start, end) != [])
            or any(start <= day <= end for day in lost)
        )
        if not swallowed or contact.excluded(ideal) or handled(rows, "post_window", ideal):
            continue
        found.append(standard(contact, run, "post_window", end, ideal, deadline))
    return found
