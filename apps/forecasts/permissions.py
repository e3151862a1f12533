"""Rights on forecasts."""

from apps.core.permissions import ADMINS, EVERYONE, MANAGERS, SELLERS, declare

READ_FORECAST = declare("forecast:read", "See forecasts", roles=EVERYONE)
SUBMIT_FORECAST = declare("forecast:submit", "Submit forecasts", roles=SELLERS)
ADJUST_FORECAST = declare("forecast:adjust", "Adjust forecasts of those they lead", roles=MANAGERS)
GET_FORECAST_REPORT = declare(
    "forecast:report", "Get the forecasts of every night by e-mail", roles=MANAGERS
)
COMPUTE_FORECAST = declare("forecast:compute", "Have forecasts computed anew", roles=ADMINS)
READ_REPORT = declare("report:read", "See what finance was told of all sales", roles=ADMINS)
ISSUE_REPORT = declare("report:issue", "Tell finance how a month or quarter stands", roles=ADMINS)
