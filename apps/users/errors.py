"""What is refused about people and sign-in."""

from apps.core.errors import Conflict, NotAllowed, NotSignedIn, Refusal, RuleBroken
from apps.core.rate_limits import RateLimitExceeded


class WrongCredentials(NotSignedIn):
    """E-mail and password do not belong together. Never says which of the two is wrong."""

    reason = "wrong_credentials"
    message = "E-mail or password is wrong."


class TooManySignIns(RateLimitExceeded):
    """Too many attempts to sign in failed from this address. `retry_after` is in seconds."""

    reason = "too_many_sign_ins"
    message = "Too many attempts to sign in. Try again later."


class SingleSignOnRefused(NotSignedIn):
    """The identity provider does not vouch for anybody who may come in. Never says why."""

    reason = "single_sign_on_refused"
    message = "This sign-in did not work. Try again, or ask your administrator."


class SecondFactorNeeded(NotSignedIn):
    """The password is right; the role or the person wants a code besides."""

    reason = "second_factor_needed"
    message = "Give the code of your authenticator."


class WrongCode(NotSignedIn):
    """The code is wrong, was used already, or too many were wrong before."""

    reason = "wrong_code"
    message = "This code is not valid."


class SecondFactorThere(Conflict):
    """The person has an authenticator already."""

    reason = "second_factor_there"
    message = "You have a second factor already. An administrator can reset it."


class SignInEnded(NotSignedIn):
    """The session is over: signed out, expired or revoked."""

    reason = "sign_in_ended"
    message = "This sign-in has ended. Sign in again."


class RefreshTokenReused(NotSignedIn):
    """A refresh token was used a second time, so somebody may have stolen it."""

    reason = "refresh_token_reused"
    message = "This refresh token was already used; the sign-in has been ended."


class EmailTaken(Conflict):
    """Somebody else signs in with this address."""

    reason = "email_taken"
    message = "Somebody already signs in with this address."


class ReportingLineLoops(RuleBroken):
    """A person would become their own manager."""

    reason = "reporting_line_loops"
    message = "A reporting line can't lead back to the same person."


class NotAClient(RuleBroken):
    """Keys are for machine clients: nobody else should be able to act as a person."""

    reason = "not_a_client"
    message = "API keys are for machine clients, whose role is integration."


class KeyRevoked(Conflict):
    """The key was revoked, which can't be undone."""

    reason = "api_key_revoked"
    message = "This API key is revoked."


class ScopeTooWide(NotAllowed):
    """Somebody would pass on rights that they do not have."""

    reason = "scope_too_wide"
    message = "You can't give rights that you don't have yourself."


class ApplicationEnded(Conflict):
    """The application is not admitted any more."""

    reason = "application_ended"
    message = "This application is not admitted any more."


class OAuthRefusal(Refusal):
    """What OAuth 2 refuses: `reason` is the error code of RFC 6749."""

    code = "VALIDATION_ERROR"
    reason = "invalid_request"
