"""What the log says of those who were refused, and what nobody can make it say."""

from __future__ import annotations

import json
import logging

import structlog

from apps.users.models import Role
from salesplatform.logs import logging_configuration
from tests.factories.users import UserFactory


def _said(caplog) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


def test_who_lacks_a_permission_stands_in_the_log(api, db, caplog):
    reader = UserFactory(role=Role.READ_ONLY)
    answer = api(reader).call("GET", "/api-keys")
    assert answer.status_code == 403
    assert _said(caplog) == [f"{reader.pk} may not client:manage, asked through rest"]


def test_who_is_not_let_in_stands_in_the_log(client, db, caplog):
    assert client.get("/api/v1/leads").status_code == 401
    refused = client.get("/api/v1/leads", headers={"X-API-Key": "nobody.nothing"})
    assert refused.status_code == 401
    assert _said(caplog) == ["not let in: not_signed_in", "not let in: api_key_rejected"]
    assert "nothing" not in caplog.text


def test_a_closed_page_of_the_back_office_stands_in_the_log(client, rep, caplog):
    client.force_login(rep)
    assert client.get("/admin/users/user/add/").status_code == 403
    assert _said(caplog) == ["a page is closed: /admin/users/user/add/"]


def test_a_line_break_in_what_is_logged_makes_no_line_of_its_own():
    formatter = logging_configuration(level="INFO")["formatters"]["lines"]
    renders = structlog.stdlib.ProcessorFormatter(
        processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
    )
    forged = 'harmless\n{"event": "forged", "level": "error"}'
    record = logging.makeLogRecord({"msg": "%s", "args": (forged,), "name": "x"})
    line = renders.format(record)
    assert "\n" not in line
    assert json.loads(line)["event"] == forged
