"""How an organization's table of contacts is read (semantics: Configuration)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from almanac.config_problems import Takes
from almanac.config_values import (
    COLUMN,
    STATUS,
    Section,
    valid_column,
    valid_contact_column,
    valid_status,
)

ContactColumn = Annotated[str, AfterValidator(valid_contact_column)]
Column = Annotated[str, AfterValidator(valid_column), Takes(COLUMN)]
Status = Annotated[str, AfterValidator(valid_status), Takes(STATUS)]


class ContactColumns(Section):
    """How `contacts` is read: statuses and columns, which may have other names."""

    active_statuses: list[Status] = ["active"]
    columns: dict[ContactColumn, Column] = {}
    opt_out_columns: list[Column] = ["do_not_communicate", "do_not_contact"]
    sms_consent_columns: list[Column] = ["sms_consent", "sms_opt_in"]
