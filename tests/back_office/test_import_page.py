"""A file of leads or accounts, from the choice of the file to taking it all back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from apps.accounts.models import Account, AccountImport
from apps.leads.models import Lead, LeadImport
from apps.users.models import User
from tests.back_office.conftest import Office

ADD = "admin:leads_leadimport_add"
FILE = b"Name,E-mail,Firm\nCarroll,lewis@oxford.example,Oxford\nDodgson,nonsense,Oxford\n"
ANSWERS = {
    "column": ["Name", "E-mail", "Firm"],
    "target": ["last_name", "email", "metadata."],
    "source": "fair",
    "match_on": "email",
}


def uploaded(content: bytes = FILE) -> SimpleUploadedFile:
    return SimpleUploadedFile("fair.csv", content, "text/csv")


def test_shows_the_file_with_a_mapping_to_start_from(manager: User, office: Office) -> None:
    page = office(manager).post(reverse("admin:leads_leadimport_preview"), {"file": uploaded()})

    assert page.context["mapped"] == [
        ("Name", "", "Carroll"),
        ("E-mail", "email", "lewis@oxford.example"),
        ("Firm", "", "Oxford"),
    ]
    assert page.context["rows"][0] == ["Carroll", "lewis@oxford.example", "Oxford"]
    assert not LeadImport.objects.exists()


def test_imports_tells_the_outcome_and_takes_it_back(
    manager: User, office: Office, deliver_events: Callable[[], int]
) -> None:
    client = office(manager)

    started = client.post(reverse(ADD), {**ANSWERS, "mode": "apply", "file": uploaded()})
    lead_import = LeadImport.objects.get()
    progress = reverse("admin:leads_leadimport_progress", args=[lead_import.pk])
    before = client.get(progress)
    deliver_events()
    after = client.get(progress)

    page = reverse("admin:leads_leadimport_change", args=[lead_import.pk])
    assert started["HX-Redirect"] == page
    assert b'hx-trigger="every 1s"' in before.content
    assert after["HX-Refresh"] == "true"
    lead = Lead.objects.get()
    assert (lead.last_name, lead.source, lead.metadata) == ("Carroll", "fair", {"Firm": "Oxford"})
    shown = client.get(page)
    assert b"This is not an e-mail address." in shown.content
    assert [one["title"] for one in shown.context["actions_detail"]] == ["Undo the import"]

    failed = b"".join(
        client.get(reverse("admin:leads_leadimport_failed_rows", args=[lead_import.pk]))
    )
    assert b'"Dodgson","nonsense","Oxford"' in failed

    client.post(reverse("admin:leads_leadimport_operation_undo", args=[lead_import.pk]))
    deliver_events()
    assert not Lead.objects.exists()
    assert client.get(page).context["actions_detail"] == []


def test_a_dry_run_writes_no_lead(
    manager: User, office: Office, deliver_events: Callable[[], int]
) -> None:
    client = office(manager)

    client.post(reverse(ADD), {**ANSWERS, "mode": "dry_run", "file": uploaded()})
    deliver_events()

    lead_import = LeadImport.objects.get()
    page = client.get(reverse("admin:leads_leadimport_change", args=[lead_import.pk]))
    assert (lead_import.created, lead_import.failed) == (1, 1)
    assert b"Nothing was written." in page.content
    assert not Lead.objects.exists()


def test_says_what_is_wrong_with_the_file_or_the_mapping(manager: User, office: Office) -> None:
    client = office(manager)

    no_file = client.post(reverse("admin:leads_leadimport_preview"), {})
    no_table = client.post(reverse("admin:leads_leadimport_preview"), {"file": uploaded(b"")})
    no_address = client.post(
        reverse(ADD), {**ANSWERS, "target": ["last_name", "", ""], "file": uploaded()}
    )

    for answer in (no_file, no_table, no_address):
        assert answer.status_code == 200
        assert answer["HX-Retarget"] == "#import-errors"
    assert b"Choose a file." in no_file.content
    assert b"Rows are matched on email" in no_address.content
    assert not LeadImport.objects.exists()


def test_is_for_those_with_the_right_and_shows_others_imports_to_nobody_else(
    manager: User, rep: User, office: Office
) -> None:
    office(manager).post(reverse(ADD), {**ANSWERS, "mode": "dry_run", "file": uploaded()})
    lead_import = LeadImport.objects.get()

    of_rep = office(rep)
    addresses: list[Any] = [
        reverse(ADD),
        reverse("admin:leads_leadimport_changelist"),
        reverse("admin:leads_leadimport_progress", args=[lead_import.pk]),
        reverse("admin:leads_leadimport_failed_rows", args=[lead_import.pk]),
    ]
    assert [of_rep.get(one).status_code for one in addresses] == [403] * 4


def test_a_file_of_accounts_takes_the_same_way(
    manager: User, rep: User, office: Office, deliver_events: Callable[[], int]
) -> None:
    client = office(manager)
    file = b"Company,Website,CRM\nOxford Press,press.oxford.example,7\nNobody,nonsense,8\n"
    add = reverse("admin:accounts_accountimport_add")

    preview = client.post(reverse("admin:accounts_accountimport_preview"), {"file": uploaded(file)})
    assert [target for _, target, _ in preview.context["mapped"]] == ["name", "domain", ""]
    assert [one.name for one in preview.context["asked"]] == ["currency", "country"]

    answers = {
        "column": ["Company", "Website", "CRM"],
        "target": ["name", "domain", "external_ids."],
        "country": "gb",
        "match_on": "domain",
        "mode": "apply",
    }
    client.post(add, {**answers, "file": uploaded(file)})
    assert b"Imports in progress" in client.get(reverse("admin:index")).content
    deliver_events()
    imported = AccountImport.objects.get()
    assert (imported.created, imported.failed) == (1, 1)
    account = Account.objects.get()
    assert (account.name, account.country, account.external_ids) == (
        "Oxford Press",
        "GB",
        {"CRM": "7"},
    )

    client.post(reverse("admin:accounts_accountimport_operation_undo", args=[imported.pk]))
    deliver_events()
    assert not Account.objects.exists()
    assert office(rep).get(add).status_code == 403
