"""The system's own pages: journal, deliveries, jobs and the clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django_celery_beat.admin import CrontabScheduleAdmin as PlainCrontabScheduleAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as PlainPeriodicTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm as PlainPeriodicTaskForm
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.lists import ChoiceOf, DaysFilter
from apps.core.admin.operations import Operation, OperationForm, choice
from apps.core.admin.visitors import actor_of, may
from apps.core.bulk import RowResult
from apps.core.errors import RuleBroken
from apps.core.events import all_kinds
from apps.core.jobs import cancel_job
from apps.core.journal import Subscriber, replay, replay_chosen, subscribers
from apps.core.models import BusinessEvent, EventDelivery, Job
from apps.core.permissions import MANAGE_SYSTEM, VIEW_SYSTEM, require

JOB_TONES = {
    "pending": "neutral",
    "running": "info",
    "completed": "success",
    "completed_with_errors": "warning",
    "failed": "danger",
    "cancelled": "neutral",
    "undone": "neutral",
}


def as_id(text: str) -> UUID | None:
    """The id that was typed, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None


class EventNameFilter(ChoiceOf):
    """Narrows the journal to one kind of event."""

    title = "event"
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Every event there is."""
        return [(one.name, one.name) for one in all_kinds()]


class SubscriberForm(OperationForm):
    """Who is to hear of it."""

    subscriber = choice("Subscriber")

    def prepare(self) -> None:
        """Everybody who listens; to one event, those who listen to it."""
        listening: Any = self.fields["subscriber"]
        listening.choices = [
            (one.name, one.name)
            for one in subscribers()
            if self.row is None or _hears(one, self.row)
        ]


def _hears(subscriber: Subscriber, event: BusinessEvent) -> bool:
    return event.name in subscriber.event_names


def _is_heard(event: BusinessEvent) -> bool:
    return any(_hears(one, event) for one in subscribers())


def tell_again(*, ids: Sequence[Any], subscriber: str, actor: Actor) -> list[RowResult]:
    """Let a subscriber hear events again, of those it listens to. Raises NotAllowed, NotFound."""
    require(actor, MANAGE_SYSTEM)
    heard = replay_chosen(ids, subscriber=subscriber)
    refusal = RuleBroken(f"{subscriber} does not listen to it.", reason="event_not_heard")
    return [RowResult(one, None if one in heard else refusal) for one in ids]


def tell_one_again(*, sequence: int, subscriber: str, actor: Actor) -> None:
    """Let a subscriber hear an event again. Raises NotAllowed, NotFound, RuleBroken."""
    (result,) = tell_again(ids=[sequence], subscriber=subscriber, actor=actor)
    if result.refusal:
        raise result.refusal


@admin.register(BusinessEvent)
class JournalAdmin(ActorAdmin):
    """What happened, in order. Nobody changes it."""

    read = VIEW_SYSTEM
    subject = "sequence"
    shows_happenings = False
    ordering = ("-sequence",)
    list_display = ("sequence", "event", "record", "who", "came_through", "happened")
    list_display_links = ("sequence", "event")
    list_filter = (EventNameFilter, ("occurred_at", DaysFilter))
    search_fields = ("aggregate_id",)
    search_help_text = "The id of a record or event, or the name of an event"
    exact_search = (("aggregate_id", as_id),)
    list_defer = ("payload",)
    sortable_by = ()
    fields = (
        "sequence",
        "name",
        "version",
        "topic",
        "aggregate_id",
        "occurred_at",
        "who",
        "door",
        "correlation_id",
        "event_id",
        "payload",
    )
    readonly_fields = fields
    operations = (
        Operation(
            name="tell",
            label="Tell again",
            permission=MANAGE_SYSTEM,
            one=tell_one_again,
            many=tell_again,
            form=SubscriberForm,
            offered=_is_heard,
            in_bulk=True,
            sentence="The subscriber hears it once more. What it did the first time stays done.",
            icon="replay",
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Events about a record, or with a name; both are indexed."""
        typed = search_term.strip()
        if not typed:
            return queryset, False
        if (identifier := as_id(typed)) is not None:
            about = queryset.filter(aggregate_id=identifier)
            return (about if about.exists() else queryset.filter(event_id=identifier)), False
        return queryset.filter(name=typed), False

    @display(description="Event")
    def event(self, row: BusinessEvent) -> Any:
        """Its name."""
        return show.badge(row.name, "info")

    @display(description="Record")
    def record(self, row: BusinessEvent) -> Any:
        """What it is about."""
        return show.cut(str(row.aggregate_id))

    @display(description="Who")
    def who(self, row: BusinessEvent) -> Any:
        """Whoever made it happen."""
        return show.cut(show.name_of_actor(row))

    @display(description="Door")
    def came_through(self, row: BusinessEvent) -> str:
        """How they came in."""
        return show.words(row.door)

    @display(description="When")
    def happened(self, row: BusinessEvent) -> Any:
        """When."""
        return show.moment(row.occurred_at)


class StateOfDelivery(ChoiceOf):
    """Waiting, put off or dead."""

    title = "state"
    parameter_name = "state"
    choices_offered = (("dead", "Dead: given up"), ("waiting", "Waiting"))

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The deliveries in that state."""
        if self.value() == "dead":
            return queryset.exclude(dead_at=None)
        return queryset.filter(dead_at=None) if self.value() == "waiting" else queryset


class SubscriberFilter(ChoiceOf):
    """Narrows deliveries to one subscriber."""

    title = "subscriber"
    parameter_name = "subscriber"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Everybody who listens."""
        return [(one.name, one.name) for one in subscribers()]


def deliver_again(*, delivery_id: int, actor: Actor) -> None:
    """Let a subscriber hear an event again. Raises NotAllowed, NotFound."""
    require(actor, MANAGE_SYSTEM)
    delivery = EventDelivery.objects.get(pk=delivery_id)
    replay(event_sequence=delivery.event_sequence, subscriber=delivery.subscriber)


@admin.register(EventDelivery)
class DeliveryAdmin(ActorAdmin):
    """Events that a subscriber has still to hear; dead ones wait for somebody to retry them."""

    read = VIEW_SYSTEM
    subject = "delivery_id"
    shows_happenings = False
    ordering = ("-id",)
    list_display = ("event_sequence", "subscriber", "state", "attempts", "next_try", "trouble")
    list_filter = (StateOfDelivery, SubscriberFilter)
    sortable_by = ()
    fields = (
        "event_sequence",
        "subscriber",
        "state",
        "aggregate_id",
        "lane",
        "attempts",
        "available_at",
        "dead_at",
        "error",
    )
    readonly_fields = fields
    operations = (
        Operation(
            name="retry",
            label="Deliver again",
            permission=MANAGE_SYSTEM,
            one=deliver_again,
            in_bulk=True,
            icon="replay",
            tone=ActionVariant.PRIMARY,
        ),
    )

    @display(description="State")
    def state(self, row: EventDelivery) -> Any:
        """Whether it waits or was given up."""
        if row.dead_at:
            return show.badge("Dead", "danger")
        return show.badge("Put off", "warning") if row.attempts else show.badge("Waiting", "info")

    @display(description="Next try")
    def next_try(self, row: EventDelivery) -> Any:
        """When it is tried next."""
        return show.NOTHING if row.dead_at else show.moment(row.available_at)

    @display(description="Trouble")
    def trouble(self, row: EventDelivery) -> Any:
        """Why it failed last."""
        return show.cut(row.error)


class JobStatusFilter(ChoiceOf):
    """Narrows jobs to one status."""

    title = "status"
    parameter_name = "status"
    choices_offered = tuple((value, show.words(value)) for value in Job.Status.values)


@admin.register(Job)
class JobAdmin(ActorAdmin):
    """Long work: whoever asked for it sees it, managers see everybody's."""

    read = ""
    subject = "job_id"
    shows_happenings = False
    list_display = ("work", "state", "share", "counts", "who", "asked")
    list_filter = (JobStatusFilter,)
    sortable_by = ()
    list_defer = ("parameters", "errors")
    fields = (
        "work",
        "state",
        "share",
        "counts",
        "message",
        "who",
        "created_at",
        "started_at",
        "finished_at",
        "first_errors",
    )
    readonly_fields = fields
    operations = (
        Operation(
            name="cancel",
            label="Cancel",
            permission="",
            one=cancel_job,
            offered=lambda job: not job.has_ended and job.cancel_requested_at is None,
            asks_first=True,
            sentence="The work stops after the step at hand. What is done stays done.",
            icon="stop_circle",
            tone=ActionVariant.DANGER,
        ),
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Everybody may see their own."""
        return bool(actor_of(request))

    def _may(self, request: HttpRequest, operation: Operation, row: Any) -> bool:
        actor = actor_of(request)
        is_theirs = row.actor_id == actor.id or actor.may(MANAGE_SYSTEM)
        return is_theirs and operation.fits(row)

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """One's own, or all for those who may see the system."""
        jobs = Job.objects.all()
        return jobs if actor.may(VIEW_SYSTEM) else jobs.filter(actor_id=actor.id)

    @display(description="Work")
    def work(self, row: Job) -> str:
        """What is done."""
        return show.words(row.kind)

    @display(description="Status")
    def state(self, row: Job) -> Any:
        """How it stands."""
        return show.state_badge(row.status, JOB_TONES)

    @display(description="Progress")
    def share(self, row: Job) -> Any:
        """How far it has come."""
        return show.bar(row.progress, tone="plain")

    @display(description="Done / failed")
    def counts(self, row: Job) -> str:
        """How many rows went well, and how many did not."""
        return f"{row.succeeded:,} / {row.failed:,}"

    @display(description="Who")
    def who(self, row: Job) -> Any:
        """Whoever asked for it."""
        return show.cut(show.name_of_actor(row))

    @display(description="Asked for")
    def asked(self, row: Job) -> Any:
        """When it was asked for."""
        return show.moment(row.created_at)

    @display(description="First errors")
    def first_errors(self, row: Job) -> Any:
        """The first rows that failed."""
        return show.table(
            ("Row", "Reason", "Message"),
            (
                (
                    one.get("line") or one.get("id") or show.NOTHING,
                    one.get("reason") or one.get("details", {}).get("reason", show.NOTHING),
                    one.get("message", show.NOTHING),
                )
                for one in row.errors[:20]
            ),
        )


# --- The clock ------------------------------------------------------------------------------


class _ClockPage(ModelAdmin):
    """Pages of the schedule, which Celery's own tables keep."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see the system."""
        return may(request, VIEW_SYSTEM)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may see the system."""
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever runs the system."""
        return may(request, MANAGE_SYSTEM)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever runs the system."""
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever runs the system."""
        return self.has_add_permission(request)


class _TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """Celery's list of tasks, looking like the other lists."""


class PeriodicTaskForm(PlainPeriodicTaskForm):
    """The form of a scheduled task."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "task" in self.fields:
            self.fields["task"].widget = UnfoldAdminTextInputWidget()
            self.fields["regtask"].widget = _TaskSelect()


for scheduled in (PeriodicTask, CrontabSchedule, IntervalSchedule, SolarSchedule, ClockedSchedule):
    admin.site.unregister(scheduled)


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(_ClockPage, PlainPeriodicTaskAdmin):
    """What runs by the clock."""

    form = PeriodicTaskForm
    list_filter: ClassVar[Sequence[str]] = ()
    list_display = ("name", "enabled", "scheduler", "last_run_at", "one_off")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(_ClockPage, PlainCrontabScheduleAdmin):
    """Moments of the clock."""


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(_ClockPage):
    """Spans between runs."""
