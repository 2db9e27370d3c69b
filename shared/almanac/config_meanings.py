"""What each setting means, in the words of docs/configuration.md: `almanac config show`."""

from __future__ import annotations

# by the path of the key
MEANINGS = {
    "timezone": ("The zone of the organization's civil day and of `send_time`."),
    "send_time": (
        "When the messages of a day are sent. A run before this time may still plan for its own "
        "day."
    ),
    "horizon_days": ("How far ahead a run plans."),
    "timing.birthday_days_before": ("Days from the birthday email to the birthday."),
    "timing.effective_date_days_before": (
        "Days from the effective-date email to the anniversary of the policy."
    ),
    "timing.pre_window_days": (
        "Every exclusion window starts this many days before the start by the state's rule, "
        "unless the rule has its own number."
    ),
    "timing.post_window_valid_days": (
        "Days after its ideal date for which the post-window email is still of use."
    ),
    "timing.followup_delay_days": ("Days from an email to its follow-up."),
    "timing.followup_lookback_days": (
        "Emails sent more days ago get no follow-up, and a follow-up is sent at most this many "
        "days after its email."
    ),
    "timing.campaign_valid_days": (
        "Days after its ideal date for which a campaign email is still of use."
    ),
    "aep.enabled": (
        "Whether the built-in email for the annual enrollment period is planned at all."
    ),
    "aep.date": ("Its day of the year. 29 February is the 28th in a common year."),
    "aep.years": ("The years in which it is planned; null is every year."),
    "aep.valid_days": ("Days after its date for which it is still of use."),
    "frequency.max_emails": (
        "The most emails that a contact gets in any `period_days`; follow-ups are not counted."
    ),
    "frequency.period_days": ("The length of that span in days."),
    "load_balancing.daily_send_percentage_cap": (
        "The share of all contacts that the plan aims at for a day: 0.07 of 100,000 contacts "
        "are 7,000 messages."
    ),
    "load_balancing.ed_daily_soft_limit": (
        "Days with more effective-date emails than this are smoothed (and never more than 30% "
        "of the daily cap)."
    ),
    "load_balancing.ed_smoothing_window_days": (
        "Over how many days, its own in the middle, an effective-date email may be smoothed."
    ),
    "load_balancing.catch_up_spread_days": (
        "Emails whose ideal date has passed are spread over this many days."
    ),
    "load_balancing.overage_threshold": (
        "A day may hold this many times its cap before messages move to the next."
    ),
    "load_balancing.closed.weekdays": ("The weekdays on which nothing is sent: closed days."),
    "load_balancing.closed.dates": ("Single days on which nothing is sent."),
    "load_balancing.closed.holidays": ("Nothing is sent on the public holidays of these places."),
    "contacts.active_statuses": (
        "Contacts with another status are left out, and counted by status; one without a status "
        "takes part. Compared trimmed, in any case."
    ),
    "contacts.columns": (
        "Empty. By the name that Almanac reads: the column of `contacts` that holds it, as in "
        "`{birth_date: dob}`. A column that the table does not have is an error."
    ),
    "contacts.opt_out_columns": (
        "A contact with 1, true, yes, t or y in one of them gets nothing. Columns that do not "
        "exist are ignored; `check` and the run name them unless the list is the default."
    ),
    "contacts.sms_consent_columns": (
        "Only contacts with such a value in every one of them that exists get text messages; "
        "likewise."
    ),
    "delivery.zone": (
        "In whose time zone `send_time` is when a sender sends: the organization's, or each "
        "contact's own. The day is the same."
    ),
    "delivery.sms_hours.from": (
        "Text messages go out from this time on, in the contact's time zone whatever `zone` says."
    ),
    "delivery.sms_hours.to": ("And before this time."),
    "delivery.sms_hours.states": ("By state: other hours for its contacts."),
    "deliverability.bounce_rate": (
        "The share of the messages sent on a day, or in a period, above which results warn of "
        "bounces."
    ),
    "deliverability.complaint_rate": ("The same for complaints."),
    "webhooks.sendgrid_public_key": (
        "The key by which SendGrid's reports are recognized; null: none is taken."
    ),
    "organization.enable_post_window_emails": (
        "Whether a contact gets an email after a window that held back a message."
    ),
    "organization.effective_date_first_email_months": (
        "No effective-date email before the month that is this many months after that of the "
        "policy's start."
    ),
    "organization.exclude_failed_underwriting_global": (
        "Contacts who failed underwriting get the AEP email only."
    ),
    "organization.send_without_zipcode_for_universal": (
        "Whether contacts whose state is unknown get messages, with no state's rule applied."
    ),
    "organization.send_without_window_date": (
        "Whether contacts whose state has an exclusion window get messages that respect it "
        "while the date that it is counted from is missing."
    ),
    "priorities.birthday": ("Which message goes first if not all can be sent: the lowest number."),
    "priorities.effective_date": ("The same for effective-date emails."),
    "priorities.aep": ("The same for AEP emails."),
    "priorities.post_window": ("The same for post-window emails."),
    "priorities.followup": (
        "The same for follow-ups of the built-in emails; those of a campaign have the campaign's."
    ),
    "templates": (
        "By email type: the name of the template that the sender fills in. Types that are left "
        "out keep their defaults."
    ),
    "sms": ("The same for text messages; null: no text message of that type."),
    "rule_set": (
        "The rules of the states that `state_rules` does not name: the standard ones of the "
        "agencies, or the states' rules as dated data with sources (rules.md)."
    ),
    "state_rules": (
        "Empty. By state: when its contacts must get no messages. A state that is named is "
        "taken from here as a whole; null: it has no rule."
    ),
}
