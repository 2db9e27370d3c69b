"""The kinds of message and the skip reasons of a run, which codes in frames refer to.

Both lists depend on the run context only, so every shard and the merge number them alike.
"""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np

from almanac.config import BUILT_IN_TYPES, FOLLOWUP_TYPES
from almanac.frames import Codes, Kind
from almanac.planning.brief import Instance, RunContext
from almanac.rules.states import USPS_STATES
from almanac.schedule_status import (
    EXCLUSION_SKIPS,
    FIXED_SKIPS,
    STATE_SKIPS,
    SkipCode,
    SkipReason,
    suppression_reason,
)


class KindTable:
    """Kinds and skip reasons of a run, and the look-ups from names to codes.

    skip_reasons: what the reason codes in frames stand for; reasons: their texts, "" for code 0.
    """

    def __init__(self, context: RunContext) -> None:
        self.kinds: list[Kind] = _kinds(context)
        named = [*context.suppression_reasons, *context.config.contacts.opt_out_columns]
        suppressed = dict.fromkeys(map(suppression_reason, named))
        self.skip_reasons: list[SkipReason | None] = [None, *_skip_reasons(), *suppressed]
        self.reasons: list[str] = ["", *_skip_reasons().values(), *(r.text for r in suppressed)]
        self._exclusion_base = 1 + len(FIXED_SKIPS)
        self._kind_codes = {(k.email_type, k.instance): i for i, k in enumerate(self.kinds)}
        self._reason_codes = {text: i for i, text in enumerate(self.reasons)}

    def kind(self, email_type: str, instance: int = 0) -> int:
        """Return the code of a kind, -1 if the run has none."""
        return self._kind_codes.get((email_type, instance), -1)

    def reason(self, code: SkipCode) -> int:
        """Return the index of a skip reason without a detail."""
        return self._reason_codes[SkipReason(code).text]

    def reason_with_text(self, text: str) -> int:
        """Return the index of the skip reason with this text, -1 if the run has none."""
        return self._reason_codes.get(text, -1)

    def exclusion_reasons(self, cause: Codes, state: Codes) -> Codes:
        """Return the reason codes of causes (see `rules.windows.causes`) in the given states."""
        codes = self._exclusion_base + (cause - 1) * len(USPS_STATES) + state
        return np.where(cause == 0, 0, codes).astype(np.int32)

    def unknown_date_reasons(self, kind_of_date: Codes, state: Codes) -> Codes:
        """Return reason indexes: 0 birth, 1 effective date is unknown; for contacts of states."""
        first = self._exclusion_base + len(EXCLUSION_SKIPS) * len(USPS_STATES)
        return (first + kind_of_date * len(USPS_STATES) + state).astype(np.int32)

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


@cache
def _skip_reasons() -> dict[SkipReason, str]:
    """Return the skip reasons that every run has, in the order of their codes, with their texts."""
    of_states = [SkipReason(code, state) for code in STATE_SKIPS for state in USPS_STATES]
    return {each: each.text for each in (*map(SkipReason, FIXED_SKIPS), *of_states)}


def _kinds(context: RunContext) -> list[Kind]:
    config = context.config
    lender = context.aep_lender
    kinds = [
        Kind(
            name,
            0,
            getattr(config.priorities, name),
            config.email_template(name),
            config.sms_template(name),
        )
        for name in BUILT_IN_TYPES
        if name != "aep" or lender is None
    ]
    if lender is not None:
        kinds.append(
            Kind(
                "aep",
                0,
                lender.priority,
                lender.email_template or config.email_template("aep"),
                lender.sms_template or config.sms_template("aep"),
            )
        )
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
