"""The run's kinds of message and skip reasons: what codes in frames stand for.

Both lists follow from the context alone, so that every shard and the merge number them alike.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from almanac.config import BUILT_IN_TYPES, FOLLOWUP_TYPES
from almanac.frames import Codes, Kind
from almanac.planning.brief import Instance, RunContext
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import EXCLUSION_TEXTS

OUTSIDE_TARGETING = "Outside campaign targeting"
OUTSIDE_DATES = "Outside campaign dates"
UNDERWRITING_GLOBAL = "Failed underwriting - global exclusion"
UNDERWRITING_CAMPAIGN = "Failed underwriting - campaign exclusion"
CAMPAIGN_CONFLICT = "Campaign priority conflict"
FREQUENCY = "Frequency limit exceeded"
DAILY_CAP = "Daily volume cap"
NOT_SENT = "Not sent by its deadline"

FIXED_REASONS = (
    OUTSIDE_TARGETING,
    OUTSIDE_DATES,
    UNDERWRITING_GLOBAL,
    UNDERWRITING_CAMPAIGN,
    CAMPAIGN_CONFLICT,
    FREQUENCY,
    DAILY_CAP,
    NOT_SENT,
)


class KindTable:
    """Kinds and reasons of a run, and the look-ups from names to codes."""

    def __init__(self, context: RunContext) -> None:
        self.kinds: list[Kind] = _kinds(context)
        self.reasons: list[str] = ["", *FIXED_REASONS]
        self._exclusion_base = len(self.reasons)
        for text in EXCLUSION_TEXTS.values():
            self.reasons += [text.format(state) for state in USPS_STATES]
        self.reasons += [suppression_text(reason) for reason in context.suppression_reasons]
        self._kind_codes = {(k.email_type, k.instance): i for i, k in enumerate(self.kinds)}
        self._reason_codes = {text: i for i, text in enumerate(self.reasons)}

    def kind(self, email_type: str, instance: int = 0) -> int:
        """The code of a kind; -1 where the run has no such kind."""
        return self._kind_codes.get((email_type, instance), -1)

    def reason(self, text: str) -> int:
        """The code of a skip reason, -1 for a text that this run does not use."""
        return self._reason_codes.get(text, -1)

    def exclusion_reasons(self, cause: Codes, state: Codes) -> Codes:
        """Reason codes of causes (see `rules.windows.causes`) for contacts of those states."""
        codes = self._exclusion_base + (cause - 1) * len(USPS_STATES) + state
        return np.where(cause == 0, 0, codes).astype(np.int32)

    @cached_property
    def is_followup(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([k.is_followup for k in self.kinds])

    @cached_property
    def is_campaign(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([k.is_campaign for k in self.kinds])

    @cached_property
    def is_effective_date(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([k.is_effective_date for k in self.kinds])

    @cached_property
    def respects_windows(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.array([k.respects_windows for k in self.kinds])

    @cached_property
    def priority(self) -> Codes:
        return np.array([k.priority for k in self.kinds], np.int32)


def suppression_text(reason: str) -> str:
    """The skip reason that a suppression's reason makes."""
    return f"Suppressed: {reason.strip() or 'unspecified'}"


def _kinds(context: RunContext) -> list[Kind]:
    config = context.config
    kinds = [
        Kind(
            name,
            0,
            getattr(config.priorities, name),
            config.email_template(name),
            config.sms_template(name),
        )
        for name in BUILT_IN_TYPES
    ]
    kinds += [
        Kind(
            name,
            0,
            config.priorities.followup,
            config.email_template(name),
            config.sms_template(name),
        )
        for name in FOLLOWUP_TYPES
    ]
    for instance in context.instances:
        if instance.understood:
            kinds += _instance_kinds(context, instance)
    return sorted(kinds, key=lambda kind: (kind.email_type, kind.instance))


def _instance_kinds(context: RunContext, instance: Instance) -> list[Kind]:
    campaign = Kind(
        instance.email_type,
        instance.id,
        instance.priority,
        instance.email_template,
        instance.sms_template,
        instance.respect_exclusion_windows,
    )
    if not instance.enable_followups:
        return [campaign]
    return [campaign] + [
        Kind(
            name,
            instance.id,
            instance.priority,
            instance.followup_email_template or context.config.email_template(name),
            instance.followup_sms_template or context.config.sms_template(name),
        )
        for name in FOLLOWUP_TYPES
    ]
