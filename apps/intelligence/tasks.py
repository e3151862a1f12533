"""Work for the clock."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from apps.core.actors import system_actor
from apps.core.retention import forget_what_is_due
from apps.intelligence.errors import AlreadyLearning
from apps.intelligence.rules.columns import Subject
from apps.intelligence.services.drift import check_drift
from apps.intelligence.services.lead_suggestions import suggest_about_open_leads
from apps.intelligence.services.suggestions import suggest_everywhere
from apps.intelligence.services.training import train_score

log = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def learn_scores() -> None:
    """Have every score learned anew; one that is being learned is left alone."""
    for subject in Subject:
        try:
            train_score(subject=subject, actor=system_actor(door="clock"))
        except AlreadyLearning:
            log.info("the score of a %s is being learned already", subject)


@shared_task(ignore_result=True)
def check_drift_of_scores() -> None:
    """See whether what is scored now still looks like what was learned."""
    check_drift(actor=system_actor(door="clock"))


@shared_task(ignore_result=True)
def suggest_about_open_deals() -> None:
    """Look at every open deal for what would help it most by now."""
    suggest_everywhere(actor=system_actor(door="clock"))


@shared_task(ignore_result=True)
def suggest_about_waiting_leads() -> None:
    """Look at every open lead for what would help it most by now."""
    suggest_about_open_leads(actor=system_actor(door="clock"))


@shared_task(ignore_result=True)
def forget_what_is_old() -> None:
    """Drop the models and suggestions that have been kept long enough."""
    forget_what_is_due("intelligence", now=timezone.now())
