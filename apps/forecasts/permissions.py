"""Rights on forecasts."""

from apps.core.permissions import ADMINS, EVERYONE, MANAGERS, SELLERS, declare

READ_FORECAST = declare("forecast:read", "See forecasts", roles=EVERYONE)
SUBMIT_FORECAST = declare("forecast:submit", "Submit forecasts", roles=SELLERS)
ADJUST_FORECAST = declare("forecast:adjust", "Adjust forecasts of those they lead", roles=MANAGERS)
COMPUTE_FORECAST = declare("forecast:compute", "Have forecasts computed anew", roles=ADMINS)
