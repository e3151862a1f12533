"""The facts that deals and leads are scored by, with the sentences that tell them."""

from __future__ import annotations

from apps.intelligence.rules.columns import Column, Kind, Known, Subject

_HISTORY = Known.HISTORY


def _number(name: str, label: str, says: str, absent: str = "") -> Column:
    return Column(name, label, Kind.NUMBER, _HISTORY, says, absent)


def _category(name: str, label: str, says: str = "", absent: str = "") -> Column:
    return Column(name, label, Kind.CATEGORY, _HISTORY, says, absent)


# What was known of a deal at a moment, rebuilt from its history.
DEAL_COLUMNS = (
    _category("stage", "Stage", "It stands in {value}."),
    _category("category", "Forecast category", "It is forecast as {value}."),
    _number("probability", "Stated probability", "Its probability is stated as {value} %."),
    _number("amount", "Amount", "It is worth {value}."),
    _category("currency", "Currency", "It is sold in {value}."),
    _number("amount_growth", "Amount since it began", "It is {value} times what it began with."),
    _number(
        "days_to_close",
        "Days until it should close",
        "It should close in {value} days.",
        "Nobody said when it closes.",
    ),
    _number("age_days", "Age", "It is {value} days old."),
    _number("days_in_stage", "Days in its stage", "It has been in its stage for {value} days."),
    _number("moves", "Moves", "It changed its stage {value} times."),
    _number("pushes", "Postponements", "Its close date was put off {value} times."),
    _number("pulls", "Brought forward", "Its close date was brought forward {value} times."),
    _number("handovers", "Owners before", "It was handed over {value} times."),
    _category("next_step", "Next step", "The next step: {value}."),
    _category("products", "Products", "The products: {value}."),
    _category("origin", "Origin", "It comes from {value}."),
    _number("activities", "Activities", "{value} activities were done about it."),
    _number(
        "recent_activities", "Activities of 30 days", "{value} activities in the last 30 days."
    ),
    _number(
        "days_since_activity",
        "Days since the last activity",
        "The last activity was {value} days ago.",
        "Nothing was done about it yet.",
    ),
    _category("industry", "Industry", "The account is in {value}."),
    _number("employee_count", "People of the account", "The account has {value} people."),
    _number("annual_revenue", "Revenue of the account", "The account earns {value} a year."),
    _number(
        "owner_win_rate",
        "Win rate of its owner",
        "Its owner won {value} % of their last deals.",
        "Its owner has not closed any deal yet.",
    ),
    _number("owner_closings", "Closings of its owner", "Its owner closed {value} deals lately."),
)

# What was known of a lead when it was captured.
LEAD_COLUMNS = (
    Column("source", "Source", Kind.CATEGORY, says="It came from {value}."),
    Column("campaign_id", "Campaign", Kind.CATEGORY, says="It came by the campaign {value}."),
    Column("title", "Title", Kind.CATEGORY, says="The title is {value}."),
    Column("industry", "Industry", Kind.CATEGORY, says="The company is in {value}."),
    Column("country", "Country", Kind.CATEGORY, says="It is in {value}."),
    Column("state", "State", Kind.CATEGORY, says="It is in the state {value}."),
    Column("company", "Company named", Kind.CATEGORY, says="The company: {value}."),
    Column("phone", "Phone number", Kind.CATEGORY, says="A phone number: {value}."),
    Column("employee_count", "People", says="The company has {value} people."),
    Column("annual_revenue", "Revenue", says="The company earns {value} a year."),
    Column("marketing_score", "Marketing's score", says="Marketing scored it {value}."),
)

COLUMNS = {Subject.DEAL: DEAL_COLUMNS, Subject.LEAD: LEAD_COLUMNS}
BASE_TEXT = {
    Subject.DEAL: "A deal of which nothing is known is won in {percent} %.",
    Subject.LEAD: "A lead of which nothing is known is converted in {percent} %.",
}
