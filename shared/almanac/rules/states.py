"""The states' exclusion windows as data, each with the statute or bulletin that it comes from.

They are the "birthday rules" and "anniversary rules" of Medicare Supplement (Medigap) law: for some
days around a birthday or a policy date a policyholder may switch without underwriting, and an
agency must not solicit. An organization's configuration may add states or replace a rule.

The citations are for counsel: statutes are renumbered and amended, so an agency has its counsel
confirm them. The planner uses only the table.
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
    # Cal. Ins. Code § 10192.11(h): annual open enrollment of 60 days from the birthday (SB 407,
    # 2019); 30 days before it is the notice period of the same section.
    "CA": {"kind": "birthday_window", "before": 30, "after": 60},
    # Idaho Code § 41-4427; IDAPA 18.04.10: 63 days from the birthday (since 1 March 2022).
    "ID": {"kind": "birthday_window", "before": 0, "after": 63},
    # KRS 304.14-525 (HB 345, 2023; since 1 January 2024): 60 days from the birthday.
    "KY": {"kind": "birthday_window", "before": 0, "after": 60},
    # Md. Code, Ins. § 15-909.1 (since 1 July 2023): 30 days from the birthday.
    "MD": {"kind": "birthday_window", "before": 0, "after": 30},
    # NRS 687B (AB 250, 2021; since 1 January 2022): 60 days from the first of the birth month.
    "NV": {"kind": "birthday_window", "before": 0, "after": 60, "use_month_start": True},
    # OAC 365:10-5-129.1 (since 31 August 2023): 60 days from the birthday.
    "OK": {"kind": "birthday_window", "before": 0, "after": 60},
    # ORS 743.684, OAR 836-052-0142: 30 days from the birthday, which is counted in.
    "OR": {"kind": "birthday_window", "before": 0, "after": 31},
    # Va. Code § 38.2-3610 (since 1 July 2025): 30 days from the birthday.
    "VA": {"kind": "birthday_window", "before": 0, "after": 30},
    # Mo. Rev. Stat. § 376.864, 20 CSR 400-3.650: 30 days before and after the policy anniversary
    # date, with the days that its notice takes.
    "MO": {"kind": "effective_date_window", "before": 30, "after": 33},
    # Conn. Gen. Stat. § 38a-495c: guaranteed issue all year.
    "CT": {"kind": "year_round"},
    # M.G.L. c. 176K: continuous open enrollment with carriers that offer it.
    "MA": {"kind": "year_round"},
    # N.Y. Ins. Law § 3231, 11 NYCRR 360: continuous open enrollment.
    "NY": {"kind": "year_round"},
    # RCW 48.66.045: replacement of a policy without underwriting at any time.
    "WA": {"kind": "year_round"},
}
