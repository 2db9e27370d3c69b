"""The standard rule set: the agencies' own table of exclusion windows, and the states.

The "birthday rules" and "anniversary rules" of Medicare Supplement (Medigap) law let a policyholder
switch without underwriting for some days around a birthday or a policy date. No statute forbids an
agency to write in these days: an exclusion window is an agency's policy, built on the states'
rules. An organization's configuration may add states or replace a rule, or take the rule set of
statutory.yaml, which follows the states' rules as they are written, with their dates.

This is not legal advice. The citations are for counsel, who confirms them: statutes are renumbered
and amended. The planner uses only the table.
"""

from __future__ import annotations

from typing import Any

# USPS: 50 states, DC, territories and freely associated states, military.
USPS_STATES = tuple(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM "
    "NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC AS GU MP PR VI FM MH PW "
    "AA AE AP".split()
)

_NAMES = """
    AL=Alabama AK=Alaska AZ=Arizona AR=Arkansas CA=California CO=Colorado CT=Connecticut
    DE=Delaware FL=Florida GA=Georgia HI=Hawaii ID=Idaho IL=Illinois IN=Indiana IA=Iowa KS=Kansas
    KY=Kentucky LA=Louisiana ME=Maine MD=Maryland MA=Massachusetts MI=Michigan MN=Minnesota
    MS=Mississippi MO=Missouri MT=Montana NE=Nebraska NV=Nevada NH=New_Hampshire NJ=New_Jersey
    NM=New_Mexico NY=New_York NC=North_Carolina ND=North_Dakota OH=Ohio OK=Oklahoma OR=Oregon
    PA=Pennsylvania RI=Rhode_Island SC=South_Carolina SD=South_Dakota TN=Tennessee TX=Texas
    UT=Utah VT=Vermont VA=Virginia WA=Washington WV=West_Virginia WI=Wisconsin WY=Wyoming
    DC=District_of_Columbia AS=American_Samoa GU=Guam MP=Northern_Mariana_Islands PR=Puerto_Rico
    VI=U.S._Virgin_Islands VI=Virgin_Islands FM=Federated_States_of_Micronesia MH=Marshall_Islands
    PW=Palau AA=Armed_Forces_Americas AE=Armed_Forces_Europe AP=Armed_Forces_Pacific
"""
# by upper-case English name
STATE_NAMES = {
    name.replace("_", " ").upper(): code
    for code, name in (pair.split("=") for pair in _NAMES.split())
}

STATE_RULES: dict[str, dict[str, Any]] = {
    # Cal. Ins. Code § 10192.11(h)(1): 60 days from the birthday (since July 2020); and the 30 days
    # before it, in which carriers take applications.
    "CA": {"kind": "birthday_window", "before": 30, "after": 60},
    # Idaho Code § 41-4427; IDAPA 18.04.10: 63 days from the birthday (since 1 March 2022).
    "ID": {"kind": "birthday_window", "before": 0, "after": 63},
    # KRS 304.14-525 (HB 345, 2023; since 1 January 2024): 60 days from the birthday.
    "KY": {"kind": "birthday_window", "before": 0, "after": 60},
    # Md. Code, Ins. § 15-909(b)(6); COMAR 31.10.06.06 (since 1 July 2023): 30 days from the
    # birthday.
    "MD": {"kind": "birthday_window", "before": 0, "after": 30},
    # NRS 687B.352 (since 1 January 2022): 60 days from the first of the birth month.
    "NV": {"kind": "birthday_window", "before": 0, "after": 60, "use_month_start": True},
    # OAC 365:10-5-129 (since 31 August 2023): 60 days from the birthday.
    "OK": {"kind": "birthday_window", "before": 0, "after": 60},
    # OAR 836-052-0143: 30 days before and after the birthday. The table has none before it, which
    # timing.pre_window_days makes up for, and counts the birthday in.
    "OR": {"kind": "birthday_window", "before": 0, "after": 31},
    # Va. Code § 38.2-3611: 60 days from the birthday since 1 July 2025. The table has 30: the rule
    # set statutory has all.
    "VA": {"kind": "birthday_window", "before": 0, "after": 30},
    # Missouri Bulletin 99-03: 30 days before and after the policy anniversary date; the table has
    # 33 after it.
    "MO": {"kind": "effective_date_window", "before": 30, "after": 33},
    # Conn. Gen. Stat. § 38a-495c: guaranteed issue all year.
    "CT": {"kind": "year_round"},
    # 211 CMR 71.10(1): continuous open enrollment with carriers that offer it.
    "MA": {"kind": "year_round"},
    # N.Y. Ins. Law § 3231, 11 NYCRR 360: continuous open enrollment.
    "NY": {"kind": "year_round"},
    # RCW 48.66.045: replacement of a policy without underwriting at any time.
    "WA": {"kind": "year_round"},
}
