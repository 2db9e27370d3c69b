"""Odd agency databases: small, random by seed, and far denser in edge cases than real life.

The same seed and arguments always give the same rows, on every machine.
"""

import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.oracle import anniversary, merged, plan
from tests.support.agency_runs import as_of_for, config_for, seeded
from tests.support.agency_tables import (
    CARRIERS,
    COMMITTED_TYPES,
    CONTACTS,
    EVENT_METADATA,
    INSTANCE_TYPES,
    METADATA,
    NO_IDS,
    ODD_DATES,
    ODD_EMAILS,
    ODD_STATES,
    ODD_ZIPS,
    OLD_GUARDS,
    OTHER_STATES,
    OTHER_TABLES,
    PHONES,
    RULE_STATES,
    SCHEDULES_LATER,
    SCHEDULES_OLD,
    SCHEDULES_START,
    STATUSES,
    TARGET_METADATA,
    ZIPS,
)

__all__ = ["as_of_for", "build", "config_for"]


class _Agency:
    """One database while it is being filled."""

    def __init__(self, seed: int, as_of: date, schema: str, config: dict[str, Any]) -> None:
        self.rng = seeded(f"agency:{schema}", seed)
        self.as_of = as_of
        self.schema = schema
        self.config = merged(config)
        self.ids: list[int] = []
        self.instances: dict[int, str] = {}  # their types
        self.triggers: dict[int, date] = {}  # one of each contact's
        self.last: tuple[str, date, date] | None = None  # state and dates of the last contact
        # Every table is there in most agencies, and some are missing in a few.
        self.tables = [
            name for name in OTHER_TABLES if self.rng.random() < (0.3, 0.9)[name != "suppressions"]
        ]
        self.has_later_columns = schema in ("new", "text") or self.rng.random() < 0.85

    def one_in(self, n: int) -> bool:
        return self.rng.randrange(n) == 0

    def near(self, first: int, last: int) -> date:
        """A day between so many days after as_of and so many."""
        return self.as_of + timedelta(days=self.rng.randint(first, last))

    def dressed(self, day: date) -> str:
        """A date as databases spell it, sometimes with a time behind."""
        return str(day) + self.rng.choice(["", "", "", "", " 00:00:00", "T09:15:00Z"])

    def moment(self, day: date) -> Any:
        """A time as other programs write it: a date, or Unix seconds or milliseconds."""
        seconds = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
        chosen = self.rng.randrange(6)
        spelled = [seconds, str(seconds), seconds * 1000, f"{seconds}000"]
        return spelled[chosen] if chosen < len(spelled) else self.dressed(day)

    def id_of(self, contact_id: int, n: int = 12) -> Any:
        """A contact's id as other tables spell it; one in n is nobody's."""
        if self.one_in(n):
            return self.rng.choice(NO_IDS)
        return self.rng.choice([contact_id] * 4 + [str(contact_id), float(contact_id)])

    def maybe_odd(self, day: date, n: int) -> str:
        return self.rng.choice(ODD_DATES) if self.one_in(n) else self.dressed(day)

    def rule_of(self, state: str) -> dict[str, Any]:
        """The first rule of a state."""
        rules = self.config["state_rules"].get(state) or {}
        first: dict[str, Any] = rules[0] if isinstance(rules, list) else rules
        return first

    def anchor(self, state: str, effective: bool) -> date:
        """A birth or effective date that brings one of the rules' edges close to as_of."""
        rng, timing = self.rng, self.config["timing"]
        rule = self.rule_of(state.strip().upper())
        name = "effective_date_days_before" if effective else "birthday_days_before"
        edges = [
            0,
            timing[name],
            rule.get("before", 0) + timing["pre_window_days"],
            -rule.get("after", 0),
            -rule.get("after", 0) - timing["post_window_valid_days"],
        ]
        edge = rng.choice(edges)
        day = self.near(-3, 3) + timedelta(days=edge)
        if self.one_in(4):
            day = self.near(0, 365)
        if self.one_in(6):
            day = date(2028, 2, 29)
        years_ago = rng.randint(0, 4) if effective else rng.randint(18, 90)
        if self.one_in(25):
            years_ago = -1
        if day.month == 2 and day.day == 29:
            return day.replace(year=day.year - 4 * max(0, years_ago // 4))
        return anniversary(day, day.year - years_ago)

    def linked(self, state: str, birth: date) -> date:
        """An effective date whose email just touches a birthday window or the birthday email.

        These are the ones that smoothing and the frequency limit treat in a special way.
        """
        rng, timing = self.rng, self.config["timing"]
        rule = self.rule_of(state)
        period = self.config["frequency"]["period_days"]
        gap = rng.choice(
            [
                -rule.get("before", 0) - timing["pre_window_days"] - 1,
                rule.get("after", 0) + 1,
                period - timing["birthday_days_before"],
                -period - timing["birthday_days_before"],
                -timing["birthday_days_before"],
            ]
        )
        ideal = anniversary(birth, self.as_of.year) + timedelta(days=gap + rng.randint(-4, 4))
        event = ideal + timedelta(days=timing["effective_date_days_before"])
        return anniversary(event, event.year - rng.randint(1, 4))

    def places_and_dates(self) -> tuple[str, date, date]:
        """State, birth date and effective date of the next contact."""
        rng = self.rng
        if self.last is not None and self.one_in(3):
            return self.last  # a twin: what two want at once is what caps and smoothing are for
        few = rng.randrange(10)
        kinds = RULE_STATES if few < 6 else OTHER_STATES if few < 8 else ODD_STATES
        state = rng.choice(kinds)
        birth = self.anchor(state, False)
        effective = self.linked(state, birth) if self.one_in(3) else self.anchor(state, True)
        self.last = state, birth, effective
        return self.last

    def contact(self, contact_id: int) -> dict[str, Any]:
        rng = self.rng
        state, birth, effective = self.places_and_dates()
        email = f"user{contact_id}@example.com"
        if self.one_in(12):
            # Blanks behind it keep it unique where it must be, and mean nothing.
            email = rng.choice(ODD_EMAILS) + " " * len(self.ids)
        elif self.one_in(8):
            email = f" User{contact_id}@Example.COM "
        return {
            "id": contact_id,
            "email": email,
            "zip_code": rng.choice(ZIPS if rng.random() < 0.6 else ODD_ZIPS),
            "state": state,
            "birth_date": self.maybe_odd(birth, 10),
            "effective_date": self.maybe_odd(effective, 10),
            "carrier": rng.choice(CARRIERS),
            "current_carrier": rng.choice(CARRIERS),
            "failed_underwriting": rng.choice([0, 0, 0, 0, 1, 1, "true", "no", None]),
            "phone_number": rng.choice([*PHONES, "(555) 010-0000", "5550100007"]),
            "status": rng.choice(["active"] * 12 + ["Active", " ACTIVE ", "", "bounced", "new"]),
            "created_at": rng.choice(["", "?", self.moment(self.near(-90, 0)), None]),
            "do_not_contact": rng.choice([*[0] * 9, "", "no", "TRUE", 1]),
            "do_not_communicate": rng.choice([*[0] * 9, None, "f", " y", 1.0, 2]),
            "sms_consent": rng.choice([1, 1, 1, "yes", "T", 0, None]),
        }

    def nullable(self, contact: dict[str, Any]) -> dict[str, Any]:
        """What only newer databases allow: NULLs, and both names of a column."""
        contact["birthday"] = self.maybe_odd(self.anchor(contact["state"], False), 6)
        for column in contact:
            if column != "id" and self.one_in(12):
                contact[column] = None
        return contact

    def fill_contacts(self, database: sqlite3.Connection, count: int) -> None:
        rng = self.rng
        database.execute(CONTACTS[self.schema])
        contact_id = rng.choice([0, 0, 700, 2_000_000_000])
        columns = [row[1] for row in database.execute("PRAGMA table_info(contacts)")]
        for _ in range(count):
            contact_id += rng.choice([1, 1, 1, 2, 7, 300])
            contact = self.contact(contact_id)
            if self.schema == "new":
                contact = self.nullable(contact)
            self.ids.append(contact_id)
            if self.schema == "text":
                contact["id"] = rng.choice([contact_id, f" {contact_id}", float(contact_id)])
                if self.one_in(8):  # of two rows with one id the first counts
                    insert(database, "contacts", {"id": rng.choice([*NO_IDS, str(contact_id)])})
            insert(database, "contacts", {k: v for k, v in contact.items() if k in columns})

    def fill_types(self, database: sqlite3.Connection) -> None:
        rng = self.rng
        types: list[dict[str, Any]] = [
            {"name": "rate_increase", "days_before_event": 14, "priority": 1},
            {"name": "promo", "days_before_event": 7, "priority": 5, "skip_failed_underwriting": 1},
            {"name": "promo_1", "priority": 5, "days_before_event": rng.choice([0, 7])},
            {"name": "initial_blast", "respect_exclusion_windows": 0, "target_all_contacts": 1},
            {"name": "newsletter", "target_all_contacts": 1, "spread_evenly": 1, "priority": 25},
            {"name": "thankyou", "days_before_event": -5, "enable_followups": 0},
            {"name": "retired", "active": 0, "target_all_contacts": 1},
            {"name": "all_null", "priority": None, "active": None, "spread_evenly": None},
        ]
        if self.one_in(2):
            one = {"name": "aep", "target_all_contacts": rng.choice([0, 1, 1, 1])}
            one |= {"active": rng.choice([1, 1, 1, 0]), "spread_evenly": rng.choice([0, 0, 1])}
            types.append(one | {"priority": rng.choice([7, 30])})
        if self.one_in(2):
            types.append({"name": "welcome", "target_all_contacts": 1, "days_before_event": -3})
        if self.one_in(4):
            types.append({"name": "VIP", "priority": rng.choice([1, 30]), "spread_evenly": "true"})
        for one in types:
            if not self.one_in(9):
                insert(database, "campaign_types", one)

    def fill_instances(self, database: sqlite3.Connection) -> None:
        rng = self.rng
        chosen = [*INSTANCE_TYPES]
        rng.shuffle(chosen)
        instance = rng.choice([0, 0, 40])
        for name in chosen[: rng.randint(6, len(chosen))]:
            instance += rng.choice([1, 1, 2])
            self.instances[instance] = name
            start, spread = self.near(-50, rng.choice([10, 10, 90])), self.near(-20, 20)
            spread_end = spread + timedelta(days=rng.choice([-1, 1, 6, 30, 60]))
            insert(
                database,
                "campaign_instances",
                {
                    "id": instance,
                    "campaign_type": name,
                    "instance_name": f"{name} {instance}",
                    "email_template": rng.choice([f"{name}_mail", None]),
                    "sms_template": rng.choice([f"{name}_sms", None, ""]),
                    "active_start_date": rng.choice(
                        [None, None, "", str(start), self.dressed(start), self.maybe_odd(start, 4)]
                    ),
                    "active_end_date": rng.choice(
                        [None, "9999-12-31", str(self.near(-2, 3)), str(self.near(0, 120))]
                    ),
                    "spread_start_date": rng.choice([None, str(spread), str(spread)]),
                    "spread_end_date": rng.choice(
                        [None, str(spread), str(spread_end), str(spread_end)]
                    ),
                    "target_states": rng.choice(
                        [None, "", "ALL", "CA, ny ,MO", "tx,fl,all", " , ", "NV,OR,KY"]
                    ),
                    "target_carriers": rng.choice([None, "", "All", "aetna,HUMANA", "Cigna"]),
                    "metadata": rng.choice(METADATA),
                    "created_at": rng.choice([None, *[self.dressed(self.near(-40, 5))] * 3])
                    if not self.one_in(12)
                    else "then",
                },
            )

    def fill_targets(self, database: sqlite3.Connection) -> None:
        rng = self.rng
        strangers = [max(self.ids) + 5, max(self.ids) + 6]
        day = self.as_of
        for contact_id in [*self.ids, *strangers]:
            if self.one_in(2):
                day = self.near(-20, 60)
            self.triggers[contact_id] = day
            for _ in range(rng.choice([0, 1, 2, 3])):
                instance = rng.choice([*self.instances, *self.instances, 98])
                for n in range(rng.choice([1, 1, 2, 4])):  # several dates of one campaign
                    near, other = day + timedelta(days=n * rng.choice([1, 30])), self.near(-40, 90)
                    row = {
                        "contact_id": self.id_of(contact_id),
                        "campaign_instance_id": instance,
                        "trigger_date": rng.choice(
                            [None, "", *[str(near)] * 4, self.dressed(near), self.dressed(other)]
                        ),
                        "status": rng.choice(
                            ["pending"] * 5 + ["sent", "SENT ", "scheduled", "skipped", None]
                        ),
                        "metadata": rng.choice(TARGET_METADATA),
                        "created_at": rng.choice(
                            [None, "then", *[self.moment(self.near(-40, 0))] * 2]
                        ),
                    }
                    if self.one_in(12):
                        row["trigger_date"] = rng.choice(["someday", "6/1/2027", "2027-02-30"])
                    self.try_insert(database, "contact_campaigns", row)

    def event_columns(self, day: date) -> dict[str, Any]:
        """Event columns: a date near the day, one that means nothing, none, or half of one."""
        near = day + timedelta(days=self.rng.choice([0, 0, 1, 14, 30, 59, 60, 61, -60]))
        year, month, dom = self.rng.choice(
            [
                (near.year, near.month, near.day),
                (near.year, near.month, near.day),
                (2025, 1, 1),
                (near.year, 2, 30),
                (0, 0, 0),
                (None, None, None),
                (near.year, None, None),
            ]
        )
        return {"event_year": year, "event_month": month, "event_day": dom}

    def fill_committed(self, database: sqlite3.Connection) -> None:
        rng = self.rng
        numbered = [f"campaign_{name}_{n}" for n, name in self.instances.items()]
        for contact_id in [*self.ids, max(self.ids) + 9]:
            for _ in range(rng.choice([0, 0, 1, 2, 3, 6])):
                day = rng.choice([self.near(-40, 1), self.near(-6, 30), self.near(-400, 400)])
                mail = rng.choice(numbered if numbered and self.one_in(5) else COMMITTED_TYPES)
                sent_at = self.dressed(day + timedelta(days=rng.choice([0, 0, 1, -1])))
                row = {
                    "contact_id": contact_id,
                    "email_type": rng.choice([mail, mail.upper()]),
                    "scheduled_send_date": self.maybe_odd(day, 40),
                    "status": rng.choice(STATUSES),
                    "actual_send_datetime": rng.choice([None, sent_at, sent_at, "?"]),
                    **self.event_columns(day),
                }
                if mail.lower().startswith(("campaign", "followup")):
                    row["campaign_instance_id"] = rng.choice([None, None, 0, *self.instances])
                if self.one_in(5) and contact_id in self.triggers:
                    # A campaign email of that event, whatever the day that it was sent on.
                    event = self.triggers[contact_id]
                    row |= {"event_year": event.year, "event_month": event.month}
                    row |= {"event_day": event.day, "scheduled_send_date": str(self.near(-99, 0))}
                if self.one_in(5) and contact_id in self.triggers:
                    # A campaign email on a day on which another may want to go.
                    days = rng.choice([-14, -7, -3, 0, 5])
                    row["scheduled_send_date"] = str(
                        max(self.triggers[contact_id] + timedelta(days=days), self.as_of)
                    )
                if self.one_in(3):  # planned by an earlier release of Almanac
                    row["ideal_send_date"] = str(day)
                if self.one_in(4):
                    row["metadata"] = rng.choice(['{"target": {"new_premium": 7}}', "{}", "{bad"])
                if self.one_in(30):
                    row["contact_id"] = self.id_of(contact_id, 2)
                self.insert_schedule(database, row)

    def fill_old_plan(self, database: sqlite3.Connection) -> None:
        """Planned rows of an older scheduler, and its rate increases."""
        rng = self.rng
        mails = ["birthday", "effective_date", "aep", "AEP", "post_window", "campaign_promo"]
        rates = ["scheduled_rate_increase", "Scheduled_Rate_Increase", "SCHEDULED_RATE_INCREASE"]
        for contact_id in [*self.ids, max(self.ids) + 9]:
            for _ in range(rng.choice([0, 0, 1, 2])):
                day = self.near(-20, 60)
                row = {
                    "contact_id": contact_id,
                    "email_type": rng.choice(mails if rng.random() < 0.7 else rates),
                    "scheduled_send_date": self.maybe_odd(day, 30),
                    "status": rng.choice(["pre-scheduled", "pre-scheduled", "skipped"]),
                    **self.event_columns(day),
                }
                self.insert_schedule(database, row)

    def fill_behaviour(self, database: sqlite3.Connection) -> None:
        rng = self.rng
        for contact_id in self.ids:
            moment = rng.choice([str(self.near(-40, 2)), self.moment(self.near(-9, 0)), "?"])
            if self.one_in(2):
                click = {"contact_id": self.id_of(contact_id), "clicked_at": moment}
                insert(database, "tracking_clicks", click)
            if self.one_in(2):
                event = {
                    "contact_id": self.id_of(contact_id),
                    "event_type": rng.choice(["eligibility_answered"] * 3 + ["page_view"]),
                    "created_at": rng.choice([moment, str(self.near(-30, 0))]),
                    "metadata": rng.choice(EVENT_METADATA),
                }
                insert(database, "contact_events", event)

    def fill_suppressions(self, database: sqlite3.Connection) -> None:
        rng = self.rng
        known = {row[1] for row in database.execute("PRAGMA table_info(suppressions)")}
        for contact_id in rng.sample(self.ids, len(self.ids) // 3):
            email, by_id = rng.choice(
                [
                    (f" USER{contact_id}@example.com", None),
                    (None, contact_id),
                    ("", f"{contact_id}"),
                    ("", f"{contact_id}x"),
                ]
            )
            row = {
                "email": email,
                "contact_id": by_id,
                "reason": rng.choice(["unsubscribed", "complaint", None, " "]),
                "since": rng.choice([None, "", "soon", str(self.as_of), str(self.near(-9, 2))]),
                "until": rng.choice([None, "never", str(self.as_of), str(self.near(-2, 9))]),
                "channel": rng.choice([None, "", "email", " SMS "]),
                "email_types": rng.choice(
                    [None, "", "Birthday, aep", "campaign_*", "campaign_promo,followup_1_cold", ","]
                ),
            }
            if self.one_in(4):
                number = rng.choice(["5550100000", "1-555-010-0001", "+1 (555) 010 0007", "n/a"])
                row |= {"phone": number, "email": None, "contact_id": None}
            insert(database, "suppressions", {k: v for k, v in row.items() if k in known})

    def try_insert(self, database: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
        """Insert unless a unique index of the table forbids it."""
        try:
            insert(database, table, row)
        except sqlite3.IntegrityError:
            return

    def insert_schedule(self, database: sqlite3.Connection, row: dict[str, Any]) -> None:
        """Insert a row of email_schedules, as far as its table has the columns."""
        columns = {one[1] for one in database.execute("PRAGMA table_info(email_schedules)")}
        self.try_insert(database, "email_schedules", {k: v for k, v in row.items() if k in columns})

    def fill(self, database: sqlite3.Connection, count: int) -> None:
        """All tables but the plan of an earlier run."""
        self.fill_contacts(database, count)
        if self.schema in ("minimal", "bare"):
            return
        columns = SCHEDULES_START + (SCHEDULES_LATER if self.has_later_columns else "")
        columns += SCHEDULES_OLD if self.schema == "old" else ", ideal_send_date TEXT"
        database.execute(f"CREATE TABLE email_schedules ({columns})")
        for statement in OLD_GUARDS if self.schema == "old" else ():
            database.execute(statement)
        for name in self.tables:
            definition = OTHER_TABLES[name]
            if self.schema == "text":
                definition = definition.replace("contact_id INTEGER", "contact_id TEXT")
            if name == "suppressions" and self.one_in(3):  # as it was before texts had channels
                definition = definition.partition(", channel")[0]
            database.execute(f"CREATE TABLE {name} ({definition})")
        steps = {
            "campaign_types": self.fill_types,
            "campaign_instances": self.fill_instances,
            "contact_campaigns": self.fill_targets,
            "tracking_clicks": self.fill_behaviour,
            "suppressions": self.fill_suppressions,
        }
        for name, step in steps.items():
            needed = {name, "contact_events"} if name == "tracking_clicks" else {name}
            if needed <= set(self.tables):
                step(database)
        self.fill_committed(database)
        self.fill_old_plan(database)
        if "private_notes" in self.tables:
            insert(database, "private_notes", {"k": "keep", "v": b"\x00\xff\x10"})

    def fill_last_plan(self, database: sqlite3.Connection, path: Path) -> None:
        """The rows of an earlier run, some of them sent since, moved, or no longer true."""
        rng = self.rng
        earlier = self.as_of - timedelta(days=rng.choice([0, 1, 1, 2, 7, 30]))
        for row in plan(path, earlier, earlier, self.config).rows:
            what = rng.randrange(20)
            if what == 0:
                continue
            day, ideal, status = row.scheduled_send_date, row.ideal_send_date, row.status
            if what in (1, 2):
                day += timedelta(days=rng.choice([-9, -2, -1, 1, 2, 9]))
            if what == 3:
                ideal += timedelta(days=1)
            if what == 4:
                status = rng.choice(["pre-scheduled", "skipped"])
            if status == "pre-scheduled" and row.scheduled_send_date < self.as_of and what < 16:
                status = rng.choice(["sent", "sent", "delivered", "processing", "failed"])
            if what == 5 and day < self.as_of + timedelta(days=9):
                status = "scheduled"
            self.insert_schedule(
                database,
                {
                    "contact_id": row.contact_id,
                    "email_type": row.email_type,
                    "campaign_instance_id": row.campaign_instance_id,
                    "scheduled_send_date": str(day),
                    "scheduled_send_time": row.scheduled_send_time,
                    "status": status,
                    "skip_reason": row.skip_reason,
                    "priority": row.priority,
                    "event_year": row.event_date.year,
                    "event_month": row.event_date.month,
                    "event_day": row.event_date.day if what != 6 else 1,
                    "ideal_send_date": str(ideal),
                    "scheduler_run_id": "earlier",
                },
            )


def insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Insert one row."""
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def build(
    path: str | Path,
    seed: int,
    contacts: int = 40,
    *,
    as_of: date | None = None,
    schema: str = "old",
    config: dict[str, Any] | None = None,
) -> Path:
    """Write an agency database; as_of and config are those it should be odd for.

    Schemas: "old" (unique indexes and trigger of an old scheduler), "new" (rows of an earlier
    Almanac run), "text" (every column of contacts, and their ids elsewhere, are texts), "minimal"
    (contacts with state and dates), "bare" (contacts with id and email).
    """
    path = Path(path)
    path.unlink(missing_ok=True)
    day = as_of_for(seed) if as_of is None else as_of
    agency = _Agency(seed, day, schema, config_for(seed) if config is None else config)
    database = sqlite3.connect(path)
    try:
        with database:
            agency.fill(database, contacts)
        if schema in ("new", "text"):
            with database:
                agency.fill_last_plan(database, path)
    finally:
        database.close()
    return path
