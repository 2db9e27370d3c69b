"""The arms of split groups side by side, and their control groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.frames import Ids, Index, Mask
from almanac.joins import distinct_values, positions
from almanac.planning.brief import Instance
from almanac.planning.split import split_share
from almanac.report.results import SplitArm, SplitGroup, difference
from almanac.results.attribution import Period
from almanac.results.collect import ContactActivity, People
from almanac.results.messages import MessageKind, SentOrPlanned
from almanac.rules.states import USPS_STATES

CONTROL = "control group"
MEASURES = ("clicked", "answered", "yes", "unsubscribed")
SPAN_MEASURES = ("answered", "yes", "unsubscribed")


def split_groups(
    instances: Sequence[Instance],
    messages: SentOrPlanned,
    kinds: Sequence[MessageKind],
    followed: Mapping[str, Index],
    activities: Mapping[str, ContactActivity],
    people: People,
    targeted: pa.Table,
    period: Period,
) -> list[SplitGroup]:
    """Return the split groups of which messages were sent in the period.

    followed: by measure, the rows of messages after which a contact did that; activities: by
    measure of the span, what contacts did. targeted: TARGETED_SCHEMA of the instances.
    """
    groups: dict[str, list[Instance]] = {}
    for each in instances:
        if each.split is not None:
            groups.setdefault(each.split.group, []).append(each)
    own = np.array([kind.instance if kind.is_campaign else 0 for kind in kinds] or [0], np.int64)
    sent = np.flatnonzero(messages.was_sent & period.has(messages.day) & (messages.contact != 0))
    of_instance = own[messages.kind[sent]]
    did = {name: _mask(len(messages), followed[name]) for name in MEASURES}
    found = []
    for name, members in sorted(groups.items()):
        mine = sent[np.isin(of_instance, [each.id for each in members])]
        if not len(mine):
            continue
        first, last = int(messages.day[mine].min()), int(messages.day[mine].max()) + period.within
        span = Period(first, last, 0)
        aimed = _aimed_at(members, people, targeted)
        share = split_share(aimed, name)
        members = sorted(members, key=lambda each: (each.split.first if each.split else 0, each.id))
        arms = []
        left = np.ones(len(aimed), np.bool_)
        for each in members:
            assert each.split is not None
            chosen = (share >= each.split.first) & (share < each.split.end)
            left &= ~chosen
            rows = sent[of_instance == each.id]
            arm = SplitArm(
                instance=each.id,
                name=f"{each.id} {each.name}",
                share=(each.split.first, each.split.end),
                contacts=int(chosen.sum()),
                **_after_messages(messages, rows, did),
                **_in_span(aimed[chosen], activities, span),
            )
            arms.append(arm)
        control = SplitArm(
            instance=None,
            name=CONTROL,
            share=None,
            contacts=int(left.sum()),
            **_in_span(aimed[left], activities, span),
        )
        found.append(_group(name, span, arms, control))
    return found


def _mask(size: int, rows: Index) -> Mask:
    mask = np.zeros(size, np.bool_)
    mask[rows] = True
    return mask


def _group(name: str, span: Period, arms: list[SplitArm], control: SplitArm) -> SplitGroup:
    pairs = [
        *((measure, *pair) for pair in combinations(arms, 2) for measure in MEASURES),
        *((f"span_{measure}", arm, control) for arm in arms for measure in SPAN_MEASURES),
    ]
    made = (difference(measure, one, other) for measure, one, other in pairs)
    return SplitGroup(
        group=name,
        first=civil.date_of(span.first),
        last=civil.date_of(span.last),
        arms=[*arms, *([control] if control.contacts else [])],
        differences=[each for each in made if each is not None],
    )


def _after_messages(
    messages: SentOrPlanned, rows: Index, did: Mapping[str, Mask]
) -> dict[str, int]:
    """Count the contacts that the messages reached, and those that did something after one."""
    counts = {"reached": len(distinct_values(messages.contact[rows]))}
    for name in MEASURES:
        done = rows[did[name][rows]]
        counts[name] = len(distinct_values(messages.contact[done]))
    return counts


def _in_span(
    contacts: Ids, activities: Mapping[str, ContactActivity], span: Period
) -> dict[str, int]:
    """Count the contacts that did something within the span."""
    ordered, counts = np.sort(contacts), {}
    for name in SPAN_MEASURES:
        activity = activities[name]
        did = distinct_values(activity.contact[span.has(activity.day)])
        counts[f"span_{name}"] = int((positions(ordered, did) >= 0).sum())
    return counts


def _aimed_at(instances: Sequence[Instance], people: People, targeted: pa.Table) -> Ids:
    """Return the contacts at whom instances aim before the split, each once.

    They are those of the states and carriers of one; of one with targets those it lists.
    """
    aimed = np.zeros(len(people.ids), np.bool_)
    for each in instances:
        mask = _matching(each, people)
        if not each.target_all_contacts:
            rows = targeted["instance"].to_numpy() == each.id
            place = positions(people.ids, targeted["contact_id"].to_numpy()[rows])
            listed = np.zeros(len(people.ids), np.bool_)
            listed[place[place >= 0]] = True
            mask &= listed
        aimed |= mask
    return people.ids[aimed]


def _matching(instance: Instance, people: People) -> Mask:
    """Return which contacts match an instance's states and carriers."""
    match = np.ones(len(people.ids), np.bool_)
    if instance.target_states is not None or instance.target_carriers is not None:
        match &= people.states >= 0
    if instance.target_states is not None:
        wanted = [n for n, state in enumerate(USPS_STATES) if state in instance.target_states]
        match &= np.isin(people.states, wanted)
    if instance.target_carriers is not None:
        carriers = people.carriers
        names = pc.utf8_upper(pc.utf8_trim_whitespace(carriers.dictionary))
        wanted = pc.is_in(names, value_set=pa.array(instance.target_carriers, pa.string()))
        of_name = wanted.to_numpy(zero_copy_only=False)
        match &= of_name[carriers.indices.to_numpy(zero_copy_only=False)]
    return match
