"""What is refused about people and sign-in."""

from apps.core.errors import Conflict, NotSignedIn, RuleBroken


class WrongCredentials(NotSignedIn):
    """E-mail and password do not belong together. Never says which of the two is wrong."""

    reason = "wrong_credentials"
    message = "E-mail or password is wrong."


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
