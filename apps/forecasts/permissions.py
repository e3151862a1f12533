"""Rights on forecasts."""

from apps.core.permissions import ADMINS, EVERYONE, SELLERS, declare

READ_FORECAST = declare("forecast:read", "See forecasts", roles=EVERYONE)
SUBMIT_FORECAST = declare("forecast:submit", "Submit forecasts", roles=SELLERS)
COMPUTE_FORECAST = declare("forecast:compute", "Have forecasts computed anew", roles=ADMINS)
