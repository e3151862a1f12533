"""What is forgotten about requests of people: declared where it is made."""

from apps.privacy.services import exports  # noqa: F401
