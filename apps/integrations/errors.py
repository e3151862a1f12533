"""What is refused about webhooks."""

from apps.core.errors import Conflict, NotFound


class WebhookNotFound(NotFound):
    """There is no such target."""

    reason = "webhook_not_found"
    message = "There is no such target."


class WebhookNameTaken(Conflict):
    """Two targets would be called the same."""

    reason = "webhook_name_taken"
    message = "Another target has this name."
