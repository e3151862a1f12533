"""Further pages of a model, besides its list and those of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.core.actors import Actor


@dataclass(frozen=True, kw_only=True)
class MorePage:
    """A page that shows what an actor asks for by parameters, to whoever may see the model's rows.

    Attributes:
        name: in its address; one word.
        title: above it.
        template: of the page.
        show: what the template shows; takes the actor and the parameters.
        part: the template of what the page loads into itself afterwards.
    """

    name: str
    title: str
    template: str
    show: Callable[[Actor, Mapping[str, str]], dict[str, Any]]
    part: str = ""

    def address(self, opts: Any, **parameters: Any) -> str:
        """Where it stands, with parameters."""
        return reverse(self.address_name(opts), query=parameters or None)

    def address_name(self, opts: Any) -> str:
        """By which its address is looked up."""
        return f"admin:{opts.app_label}_{opts.model_name}_{self.name}"
