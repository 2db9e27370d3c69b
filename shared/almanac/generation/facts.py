"""The shares, weights and words of a generated agency.

Shares are of contacts unless stated otherwise; weights need not have a given sum. All addresses are
in domains that RFC 2606 reserves, and all phone numbers end in 555-0100 to 555-0199, which the
North American Numbering Plan reserves for fiction: no generated row reaches a real person.
"""

from __future__ import annotations

from almanac.schedule_status import Status

# --- people ---------------------------------------------------------------------------------------

# First names of people born 1930 to 1985: Social Security Administration, names by decade.
WOMEN = (
    "Mary Linda Patricia Barbara Susan Nancy Deborah Sandra Carol Sharon Karen Donna Betty Brenda "
    "Margaret Diane Janet Shirley Carolyn Judith Janice Cynthia Judy Elizabeth Kathleen Christine "
    "Joyce Pamela Virginia Dorothy Martha Debra Catherine Beverly Bonnie Gloria Peggy Rebecca Ann "
    "Jean Connie Rose Helen Alice Ruth Phyllis Jane Lois Joan Marilyn Teresa Laura Maria Rosa "
    "Wanda Ellen Sheila Anita Sylvia Gail Theresa Kathy Cheryl Lisa Kimberly Michelle Angela "
    "Yolanda Carmen Guadalupe Evelyn Frances Marie Doris Norma Irene"
)
MEN = (
    "James Robert John William Richard David Charles Thomas Michael Ronald Larry Donald Joseph "
    "Gary George Kenneth Paul Edward Jerry Dennis Frank Daniel Raymond Roger Stephen Gerald Walter "
    "Harold Douglas Lawrence Terry Wayne Arthur Jack Carl Henry Willie Bruce Joe Peter Billy Roy "
    "Ralph Anthony Jimmy Albert Bobby Eugene Johnny Mark Fred Harry Steven Howard Louis Timothy "
    "Jose Philip Stanley Earl Gregory Kevin Brian Jeffrey Scott Leonard Francis Ernest Alan Dale "
    "Leroy Norman Melvin Juan Luis Carlos"
)
# Surnames by frequency: US Census Bureau, frequently occurring surnames, 2010.
SURNAMES = (
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez "
    "Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris "
    "Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill "
    "Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips "
    "Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers "
    "Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson "
    "Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo "
    "Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry Russell Sullivan Bell "
    "Coleman Butler Henderson Barnes Fisher Vasquez Simmons Graham Murray Ford Hamilton West "
    "O'Brien Schmidt Kowalski McCarthy Olson Larson De-La-Cruz Meyer Weber Schneider Fitzgerald"
)
# The weight of the name of rank r is 1 / (r + NAME_FLATNESS), about as in the lists above.
NAME_FLATNESS = 12
WOMEN_SHARE = 0.55  # CMS, Medicare enrollment by sex

EMAIL_DOMAINS = {
    "example.com": 45,
    "mail.example.com": 20,
    "example.net": 18,
    "inbox.example.net": 7,
    "example.org": 6,
    "my.example.org": 4,
}

# Age in years on the day of generation: (from, before, weight). CMS, Medicare Current
# Beneficiary Survey, with the agency's younger ACA and disability business below 65.
AGES = ((40, 55, 6), (55, 65, 14), (65, 70, 24), (70, 75, 22), (75, 81, 19), (81, 96, 15))

PHONE_SHARE = 0.60
TOBACCO_SHARE = 0.09  # CDC, current smoking among adults of 65 and older
FAILED_UNDERWRITING_SHARE = 0.03
AGENTS_PER_CONTACT = 1 / 400

STATUSES = {
    "active": 960,
    "inactive": 16,
    "unsubscribed": 14,
    "deceased": 5,
    "Active": 3,
    "": 2,
}

# --- policies -------------------------------------------------------------------------------------

# Medicare supplement carriers by lives: NAIC, Medicare Supplement loss ratio report, rounded.
CARRIERS = {
    "UnitedHealthcare": 31,
    "Blue Cross Blue Shield": 15,
    "Mutual of Omaha": 11,
    "Aetna": 10,
    "Anthem": 7,
    "Cigna": 6,
    "Humana": 5,
    "State Farm": 4,
    "Highmark": 3,
    "Globe Life": 3,
    "Physicians Mutual": 2,
    "Allstate": 2,
    "USAA": 1,
}
# Standard plans by lives: AHIP, State of Medigap.
PLAN_TYPES = {"G": 39, "F": 30, "N": 14, "HDG": 5, "C": 4, "D": 2, "K": 2, "A": 2, "B": 2}

# Months since the policy's effective date: (from, before, weight).
POLICY_MONTHS = ((-2, 0, 2), (0, 11, 11), (11, 60, 45), (60, 120, 33), (120, 300, 9))
FIRST_OF_MONTH_SHARE = 0.42
YOUNGEST_POLICY_YEARS = 18

# --- gaps and odd rows ----------------------------------------------------------------------------

GAP_EVERY = 200  # contacts per gap in the ids
GAP_LONGEST = 7

# Column, change of its text, share. `contacts` defines the changes.
ODDITIES = (
    ("effective_date", "empty", 0.0015),
    ("birth_date", "empty", 0.0015),
    ("birth_date", "slashes", 0.0015),
    ("effective_date", "zeros", 0.0010),
    ("birth_date", "no such day", 0.0005),
    ("effective_date", "time", 0.0015),
    ("birth_date", "T time", 0.0005),
    ("state", "lower case", 0.0010),
    ("state", "blanks", 0.0005),
    ("state", "no state", 0.0008),
    ("state", "empty", 0.0010),
    ("zip_code", "elsewhere", 0.0010),
    ("zip_code", "plus four", 0.0015),
    ("zip_code", "short", 0.0005),
    ("zip_code", "empty", 0.0005),
    ("email", "no at", 0.0004),
    ("email", "no domain", 0.0004),
    ("email", "two ats", 0.0002),
    ("email", "blanks", 0.0004),
    ("email", "upper case", 0.0010),
)

# --- history of an older scheduler ----------------------------------------------------------------

# Committed rows of a contact in the past year: weight of 0, 1, 2, 3.
HISTORY_ROWS = (66, 20, 9, 5)
HISTORY_TYPES = {
    "birthday": 20,
    "BIRTHDAY": 8,
    "effective_date": 18,
    "EFFECTIVE_DATE": 7,
    "aep": 10,
    "AEP": 5,
    "post_window": 4,
    "POST_WINDOW": 2,
    "POST_WINDOW_BIRTHDAY": 3,
    "POST_WINDOW_EFFECTIVE_DATE": 2,
    "followup_1_cold": 8,
    "followup_2_clicked_no_hq": 2,
    "SCHEDULED_RATE_INCREASE": 4,
    "campaign_rate_increase": 3,
    "campaign_rate_increase_1": 2,
    "campaign_seasonal_promo": 2,
}
HISTORY_STATUSES = {"sent": 58, "delivered": 30, "failed": 7, "scheduled": 5}
MEANINGLESS_EVENT_SHARE = 0.5  # of the rows
# Planned rows of the older scheduler.
LEFTOVER_SHARE = 0.03
LEFTOVER_TYPES = {
    "birthday": 30,
    "BIRTHDAY": 10,
    "effective_date": 30,
    "aep": 14,
    "post_window": 8,
    "SCHEDULED_RATE_INCREASE": 6,
    "scheduled_rate_increase": 2,
}
LEFTOVER_STATUSES = {Status.PRE_SCHEDULED.value: 85, Status.SKIPPED.value: 15}

# After rows sent in the last RECENT_DAYS: shares of these rows.
RECENT_DAYS = 45
CLICK_SHARE = 0.22
ANSWER_SHARE = 0.09
ANSWERS = {
    '{"has_medical_conditions": false, "main_questions_yes_count": 0}': 60,
    '{"has_medical_conditions": true, "main_questions_yes_count": 2}': 18,
    '{"has_medical_conditions": false, "main_questions_yes_count": 1}': 14,
    '{"main_questions_yes_count": 0}': 5,
    "": 2,
    '{"has_medical_conditions": tru': 1,
}
EVENT_TYPES = {"eligibility_answered": 80, "page_view": 15, "quote_requested": 5}

# --- campaigns ------------------------------------------------------------------------------------

TARGET_SHARE = 0.05
SECOND_TARGET_SHARE = 0.1  # of the targeted contacts
ORPHAN_SHARE = 0.002  # of the targets: rows of deleted contacts
TARGET_STATUSES = {"pending": 90, "sent": 6, "scheduled": 4}

# --- suppressions and the agency's own table ------------------------------------------------------

SUPPRESSION_SHARE = 0.002
SUPPRESSION_REASONS = {"unsubscribe": 50, "hard bounce": 30, "complaint": 12, "": 8}
SUPPRESSION_SOURCES = {"sendgrid": 70, "manual": 30}
NOTE_SHARE = 0.01
NOTES = {
    "left a voicemail": 40,
    "wants a call after the 15th": 20,
    "asked for a dental quote": 15,
    "moved in with daughter, check address": 10,
    "prefers paper mail": 10,
    "": 5,
}
