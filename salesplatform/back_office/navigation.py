"""What stands in the sidebar: the pages that the person may open, in the order of the work."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse, reverse_lazy

GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Selling",
        (
            ("leads.Lead", "Leads", "person_search"),
            ("leads.LeadImport", "Lead imports", "upload_file"),
            ("opportunities.Opportunity", "Opportunities", "handshake"),
            ("opportunities.OpportunityImport", "Opportunity imports", "upload_file"),
            ("intelligence.Suggestion", "Suggestions", "lightbulb"),
            ("activities.Activity", "Activities", "event_note"),
            ("contracts.Contract", "Contracts", "contract"),
            ("accounts.Account", "Accounts", "apartment"),
            ("accounts.AccountImport", "Account imports", "upload_file"),
            ("accounts.Contact", "Contacts", "contacts"),
            ("customer_success.Case", "Tickets and requests", "support_agent"),
        ),
    ),
    (
        "Planning",
        (
            ("forecasts.ForecastSnapshot", "Forecasts", "trending_up"),
            ("forecasts.ForecastSnapshot:roll_up", "Roll-up", "account_tree"),
            ("forecasts.ForecastSnapshot:changes", "What changed", "waterfall_chart"),
            ("forecasts.ForecastAccuracy:accuracy", "Accuracy", "target"),
            ("forecasts.ForecastSubmission", "Submissions", "campaign"),
            ("forecasts.ForecastAdjustment", "Adjustments", "tune"),
            ("forecasts.FinanceReport", "Reports to finance", "request_quote"),
            ("opportunities.Opportunity:win_loss", "Win/loss", "balance"),
            ("quotas.Quota", "Quotas", "flag"),
            ("quotas.Quota:plan", "Quota plan", "grid_on"),
            ("commissions.CommissionEntry", "Commissions", "payments"),
            ("commissions.CommissionPlan", "Commission plans", "percent"),
            ("intelligence.ScoreModel", "Score models", "insights"),
            ("territories.Territory", "Territories", "map"),
            ("opportunities.Pipeline", "Pipelines", "view_week"),
            ("catalog.Product", "Products", "inventory_2"),
            ("catalog.PriceBook", "Price books", "sell"),
            ("core.ExchangeRate", "Exchange rates", "currency_exchange"),
        ),
    ),
    (
        "Privacy",
        (
            ("privacy.Export", "Exports of a person", "folder_zip"),
            ("privacy.Erasure", "Erasures", "person_off"),
            ("core.Consent", "Consents", "how_to_reg"),
        ),
    ),
    (
        "System",
        (
            ("users.User", "People", "group"),
            ("users.RolePermission", "Rights of roles", "verified_user"),
            ("users.ApiKey", "API keys", "key"),
            ("users.Application", "Applications", "apps"),
            ("integrations.Partner", "Partners", "hub"),
            ("integrations.InboundMessage", "Inbox", "inbox"),
            ("integrations.WebhookTarget", "Webhooks", "webhook"),
            ("integrations.WebhookDelivery", "Sent to webhooks", "outgoing_mail"),
            ("core.Job", "Jobs", "pending_actions"),
            ("core.BusinessEvent", "Journal", "receipt_long"),
            ("core.Change", "Changes", "history"),
            ("core.Access", "Accesses", "visibility"),
            ("core.EventDelivery", "Deliveries", "outbox"),
            ("django_celery_beat.PeriodicTask", "Schedule", "schedule"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of the sidebar with the pages the person may open."""
    start = {"title": "Start", "icon": "home", "link": reverse_lazy("admin:index")}
    groups = [{"items": [start]}]
    for title, pages in GROUPS:
        items = [page for one in pages if (page := _page(request, *one))]
        if items:
            groups.append({"title": title, "separator": True, "items": items})  # type: ignore[dict-item]
    return groups


def _page(request: HttpRequest, label: str, title: str, icon: str) -> dict[str, Any] | None:
    label, _, further = label.partition(":")
    model = apps.get_model(label)
    if not admin.site.is_registered(model):
        return None
    page: Any = admin.site.get_model_admin(model)
    if not page.has_view_permission(request):
        return None
    meta = model._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_{further or 'changelist'}")
    return {
        "title": title,
        "icon": icon,
        "link": address,
        "active": request.path.startswith(address) and (further or not _is_further(request, page)),
    }


def _is_further(request: HttpRequest, page: Any) -> bool:
    """Whether it is a page of the model's other than its list and those of its rows."""
    further = getattr(page, "more_pages", ())
    return any(request.path == one.address(page.opts) for one in further)
