"""The back office in a real browser: nothing leaves the machine, and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.contrib import admin
from django.urls import reverse
from playwright.sync_api import Browser, Page, sync_playwright

from apps.leads.models import Lead
from apps.opportunities.models import Opportunity
from apps.quotas.models import Quota
from apps.quotas.services.quotas import set_quota
from apps.users.models import User
from tests.browser.conftest import CHROMIUM
from tests.factories.leads import LeadFactory
from tests.factories.opportunities import make_deal
from tests.factories.users import PASSWORD, actor_of

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests. Its own event loop makes Django wary of the database."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A visitor, and everything that went wrong meanwhile."""

    page: Page
    home: str
    troubles: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note messages of the console, failed answers and requests to elsewhere."""
        self.page.on(
            "console",
            lambda one: one.type in ("error", "warning") and self.troubles.append(one.text),
        )
        self.page.on("pageerror", lambda one: self.troubles.append(str(one)))
        self.page.on(
            "response",
            lambda one: one.status >= 400 and self.troubles.append(f"{one.status} {one.url}"),
        )
        self.page.on("request", self._note_request)

    def _note_request(self, request: Any) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.troubles.append(f"left the machine: {request.url}")

    def open(self, address: str) -> None:
        """Go to a page and wait until it rests."""
        self.page.goto(self.home + address)
        self.page.wait_for_load_state("networkidle")

    def sign_in(self, user: User) -> None:
        """Sign in on the page for it."""
        self.open(reverse("admin:login"))
        self.page.fill("[name=username]", user.email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(self.home + reverse("admin:index"))


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def visit(request: pytest.FixtureRequest, browser: Browser, live_server: Any) -> Iterator[Visit]:
    """A visitor at a desk and one with a phone."""
    context = browser.new_context(viewport=request.param)
    context.set_default_timeout(15_000)
    visitor = Visit(context.new_page(), live_server.url)
    visitor.watch()
    yield visitor
    context.close()


def test_every_page_opens_quietly_and_fits(visit: Visit, admin_with_rows: User) -> None:
    visit.sign_in(admin_with_rows)
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]

    for address in [reverse("admin:index"), *lists, reverse("admin:leads_leadimport_add")]:
        visit.open(address)
        assert visit.troubles == [], address
        width = visit.page.evaluate("document.documentElement.scrollWidth")
        assert width <= visit.page.viewport_size["width"], address  # type: ignore[index]


SPACES_BEHIND = """() => {
    const rows = [...document.querySelectorAll("#result_list tr")].map((row) => [...row.children]);
    const amounts = rows[1].flatMap((cell, column) => cell.querySelector(".money") ? [column] : []);
    const behind = (cell) => {
        const words = document.createRange();
        words.selectNodeContents(cell);
        return cell.getBoundingClientRect().right - words.getBoundingClientRect().right;
    };
    return amounts.map((column) => rows.map((row) => behind(row[column])));
}"""


def test_the_headings_of_amounts_end_where_the_amounts_end(
    browser: Browser, live_server: Any, admin: User
) -> None:
    make_deal(owner=admin, amount=Decimal(1_200_000))
    set_quota(
        user_id=admin.pk,
        period="Q1_2026",
        quota_type="revenue",
        quota_amount=Decimal(1_200_000),
        actor=actor_of(admin),
    )
    context = browser.new_context(viewport=DESK)
    visitor = Visit(context.new_page(), live_server.url)
    visitor.sign_in(admin)
    for model in (Opportunity, Quota):
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        visitor.open(reverse(f"admin:{name}_changelist"))
        columns = visitor.page.evaluate(SPACES_BEHIND)
        assert columns, name
        for heading, amount in columns:
            assert heading == pytest.approx(amount, abs=1), name
    context.close()


def test_a_lead_is_qualified_by_one_press_and_put_aside_by_a_dialog(
    visit: Visit, admin_with_rows: User
) -> None:
    lead = Lead.objects.get()
    visit.sign_in(admin_with_rows)
    page = visit.page
    visit.open(reverse("admin:leads_lead_change", args=[lead.pk]))
    buttons = page.locator("a:has-text('more_horiz')").first
    if buttons.is_visible():
        buttons.click()
    page.get_by_role("link", name="Qualify", exact=False).first.click()
    page.get_by_text("Qualify: done.").wait_for()

    if buttons.is_visible():
        buttons.click()
    page.get_by_role("link", name="Disqualify").first.click()
    page.locator("#dialog [name=reason]").fill("No budget")
    page.locator("#dialog button[type=submit]").click()
    page.get_by_text("Disqualify: done.").wait_for()

    lead.refresh_from_db()
    assert (lead.status, lead.status_reason) == ("unqualified", "No budget")
    assert visit.troubles == []


@pytest.fixture
def admin_with_rows(admin: User) -> User:
    """Somebody who may do everything, with something to look at."""
    LeadFactory(owner=admin, company="A company whose name is much longer than any column is wide")
    make_deal(owner=admin)
    return admin


def test_the_explorer_of_graphql_answers_a_query(visit: Visit, rep: User) -> None:
    make_deal(owner=rep, name="Explored deal")
    visit.sign_in(rep)

    visit.open("/graphiql")
    visit.page.get_by_role("button", name="Execute query").click()

    visit.page.get_by_text("Explored deal").first.wait_for()
    assert visit.troubles == []


def test_the_reference_of_the_api_opens_quietly(visit: Visit) -> None:
    visit.open("/api/docs")
    visit.page.locator("#operations-tag-leads").click()
    visit.page.get_by_text("/api/v1/leads", exact=True).first.wait_for()
    assert visit.troubles == []
