"""Further pages of a model, besides its list and those of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin

from apps.core.actors import Actor
from apps.core.admin.refusals import put_in_message
from apps.core.admin.visitors import actor_of
from apps.core.errors import Refusal


@dataclass(frozen=True, kw_only=True)
class MorePage:
    """A page that shows what an actor asks for by parameters, to whoever may see the model's rows.

    What is sent from it is shown again, among the parameters, where it was refused.

    Attributes:
        name: in its address; one word.
        title: above it.
        template: of the page.
        show: what the template shows; takes the actor and the parameters.
        part: the template of what the page loads into itself afterwards.
        change: what happens to what is sent from it; returns the sentence that says so.
    """

    name: str
    title: str
    template: str
    show: Callable[[Actor, Mapping[str, str]], dict[str, Any]]
    part: str = ""
    change: Callable[[Actor, Mapping[str, str]], str] | None = None

    def address(self, opts: Any, **parameters: Any) -> str:
        """Where it stands, with parameters."""
        return reverse(self.address_name(opts), query=parameters or None)

    def address_name(self, opts: Any) -> str:
        """By which its address is looked up."""
        return f"admin:{opts.app_label}_{opts.model_name}_{self.name}"


class MorePagesAdmin(ModelAdmin):
    """What further pages add to those of a model.

    Attributes:
        more_pages: what else is shown of its rows.
    """

    more_pages: ClassVar[tuple[MorePage, ...]] = ()

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """The addresses of the further pages."""
        return tuple(
            (
                f"{one.name.replace('_', '-')}/",
                one.address_name(self.opts).removeprefix("admin:"),
                partial(self.show_more, page=one),
            )
            for one in self.more_pages
        )

    def show_more(self, request: HttpRequest, *, page: MorePage, **_: Any) -> HttpResponse:
        """A further page; a refusal is told above it, and what can't be asked is asked no more."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        sent: dict[str, str] = {}
        if page.change is not None and request.method == "POST":
            sent = request.POST.dict()
            try:
                messages.success(request, page.change(actor_of(request), sent))
            except Refusal as refusal:
                put_in_message(request, refusal)
            else:
                return HttpResponseRedirect(request.get_full_path())
        try:
            shown = page.show(actor_of(request), {**request.GET.dict(), **sent})
        except Refusal as refusal:
            if not request.GET:
                raise PermissionDenied from refusal
            put_in_message(request, refusal)
            return HttpResponseRedirect(page.address(self.opts))
        if page.part and request.headers.get("HX-Request"):
            return TemplateResponse(request, page.part, shown)
        context = {**self.admin_site.each_context(request), "title": page.title, **shown}
        request.current_app = self.admin_site.name
        return TemplateResponse(request, page.template, context)
