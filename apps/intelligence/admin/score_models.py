"""Pages of the models that scores come from."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from unfold.decorators import display
from unfold.enums import ActionVariant

from apps.core.actors import Actor
from apps.core.admin import display as show
from apps.core.admin.base import ActorAdmin
from apps.core.admin.operations import Operation
from apps.core.admin.visitors import actor_of
from apps.core.models import Job
from apps.intelligence.models import ScoreModel
from apps.intelligence.permissions import READ_SCORE_MODEL, TRAIN_SCORE_MODEL
from apps.intelligence.rules.columns import Subject
from apps.intelligence.rules.facts import COLUMNS
from apps.intelligence.services.publishing import publish_score_model, retire_score_model
from apps.intelligence.services.training import train_score

_TONES = {"published": "success", "challenger": "info", "refused": "warning"}
_FIGURES = (
    ("auc", "Ranks a good row above a bad one (AUC)"),
    ("auc_anyway", "What is known anyway (AUC)"),
    ("brier", "Error of the probability (Brier)"),
    ("brier_anyway", "What is known anyway (Brier)"),
    ("calibration_error", "Calibration error"),
    ("champion_auc", "The model in force (AUC)"),
    ("champion_brier", "The model in force (Brier)"),
)
_MOVED, _IS_ANOTHER = 0.1, 0.25


@admin.register(ScoreModel)
class ScoreModelAdmin(ActorAdmin):
    """What was learned, whatever came of it."""

    read = READ_SCORE_MODEL
    write = TRAIN_SCORE_MODEL
    subject = "model_id"
    adds = staticmethod(train_score)
    shows_happenings = False
    list_display = ("named", "standing", "auc", "gain", "learned")
    list_filter = ("subject", "state")
    list_defer = ("trees",)
    sortable_by = ()
    add_fieldsets = ((None, {"fields": ("subject",)}),)
    fields = (
        ("named", "standing"),
        "sentence",
        ("learned", "published", "retired"),
        ("rows_learned_from", "held_out"),
        "figures",
        "reliability",
        "weights",
        "refused_columns",
        "suspect_columns",
        "moved",
        ("recognised_by", "made_by"),
    )
    readonly_fields = (
        "named",
        "standing",
        "sentence",
        "learned",
        "published",
        "retired",
        "rows_learned_from",
        "held_out",
        "figures",
        "reliability",
        "weights",
        "refused_columns",
        "suspect_columns",
        "moved",
        "recognised_by",
        "made_by",
    )
    operations = (
        Operation(
            name="publish",
            label="Publish",
            permission=TRAIN_SCORE_MODEL,
            one=publish_score_model,
            offered=lambda row: row.state in ("challenger", "retired"),
            asks_first=True,
            sentence="Everything open is scored by this model from now on.",
            icon="publish",
        ),
        Operation(
            name="retire",
            label="Retire",
            permission=TRAIN_SCORE_MODEL,
            one=retire_score_model,
            offered=lambda row: row.state == "published",
            asks_first=True,
            sentence="Everything open is scored by the rules again.",
            icon="undo",
            tone=ActionVariant.DANGER,
        ),
    )

    def rows(self, actor: Actor, *, with_bin: bool = False) -> Any:
        """All of them, without what only the machine reads."""
        return ScoreModel.objects.defer("trees")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A model is never changed; what is to be learned is chosen."""
        return self.readonly_fields if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Have it learned in the background. Raises the service's refusals."""
        job = train_score(subject=form.cleaned_data["subject"], actor=actor_of(request))
        obj.pk = job.pk

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """On to the list; the work goes on."""
        messages.info(request, "It is being learned in the background: see the jobs.")
        return HttpResponseRedirect(show.page_of(Job, obj.pk) or show.list_of(ScoreModel))

    @display(description="Model")
    def named(self, row: ScoreModel) -> Any:
        """What it scores, and its version."""
        return show.two_lines(f"{row.get_subject_display()} score", f"Version {row.version}")

    @display(description="State")
    def standing(self, row: ScoreModel) -> Any:
        """Where it stands, and why where it came to nothing."""
        if row.state == ScoreModel.State.REFUSED:
            return show.badge(row.get_verdict_display(), "warning")
        return show.state_badge(row.state, _TONES)

    @display(description="AUC")
    def auc(self, row: ScoreModel) -> str:
        """How well it ranks rows that it never saw."""
        return _figure(row.figure("auc"))

    @display(description="Better by")
    def gain(self, row: ScoreModel) -> str:
        """Than what is known anyway, in AUC."""
        found = row.figure("auc_gain")
        return show.NOTHING if found is None else f"{found['value']:+.3f}"

    @display(description="Learned")
    def learned(self, row: ScoreModel) -> Any:
        """When."""
        return show.moment(row.created_at)

    @display(description="Published")
    def published(self, row: ScoreModel) -> Any:
        """Since when it was in force."""
        return show.moment(row.published_at)

    @display(description="Retired")
    def retired(self, row: ScoreModel) -> Any:
        """Until when it was in force."""
        return show.moment(row.retired_at)

    @display(description="What came of it")
    def sentence(self, row: ScoreModel) -> str:
        """In words."""
        return str(row.card["sentence"])

    @display(description="Learned from")
    def rows_learned_from(self, row: ScoreModel) -> str:
        """How many rows, and of when."""
        card = row.card
        span = f", {card['from'][:10]} to {card['until'][:10]}" if "from" in card else ""
        return f"{card['rows']:,} rows of {card['decided']:,} {row.subject}s{span}"

    @display(description="Held out")
    def held_out(self, row: ScoreModel) -> str:
        """What it was tried on."""
        since = row.card.get("held_out_from", "")[:10]
        return f"{row.card['held_out_rows']:,} rows{f' from {since} on' if since else ''}"

    @display(description="On the rows held out")
    def figures(self, row: ScoreModel) -> Any:
        """How good it is, with intervals."""
        return show.table(
            ("Figure", "Value", "95 of 100 times between"),
            (
                (label, f"{one['value']:.3f}", f"{one['low']:.3f} and {one['high']:.3f}")
                for name, label in _FIGURES
                if (one := row.figure(name)) is not None
            ),
        )

    @display(description="Expected and happened")
    def reliability(self, row: ScoreModel) -> Any:
        """Whether what is called likely happens as often."""
        bins = row.card.get("reliability")
        if not bins:
            return show.NOTHING
        return render_to_string("admin/intelligence/reliability.html", {"bins": _plotted(bins)})

    @display(description="What moves the score most")
    def weights(self, row: ScoreModel) -> Any:
        """Its columns by weight."""
        labels = _labels(row)
        return show.table(
            ("Fact", "Moves the log-odds by"),
            (
                (labels.get(one["column"], one["column"]), f"{one['weight']:.2f}")
                for one in row.card.get("weights", [])[:12]
            ),
        )

    @display(description="Refused facts")
    def refused_columns(self, row: ScoreModel) -> Any:
        """What it was not allowed to know."""
        return _findings(row, "refused")

    @display(description="Facts to look at")
    def suspect_columns(self, row: ScoreModel) -> Any:
        """What may know the answer."""
        return _findings(row, "suspects")

    @display(description="Moved since")
    def moved(self, row: ScoreModel) -> Any:
        """How far what is scored now is from what was learned."""
        labels = _labels(row) | {"score": "The score"}
        drift = sorted((row.drift or {}).items(), key=lambda one: -one[1])
        return show.table(
            ("Fact", "Stability index", ""),
            (
                (
                    labels.get(name, name),
                    f"{index:.2f}",
                    show.badge("Another population", "danger")
                    if index > _IS_ANOTHER
                    else show.badge("Moved", "warning")
                    if index > _MOVED
                    else show.badge("As it was", "success"),
                )
                for name, index in drift[:12]
            ),
        )

    @display(description="Recognised by")
    def recognised_by(self, row: ScoreModel) -> str:
        """The beginning of the digest of its text."""
        return row.digest[:16] or show.NOTHING

    @display(description="Made by")
    def made_by(self, row: ScoreModel) -> str:
        """What grew the trees, and the seed that grows them again."""
        trees = row.card.get("trees")
        grown = f"{trees} trees, " if trees else ""
        return f"{grown}{row.card['library']}, seed {row.card['seed']}"


def _figure(found: dict[str, Any] | None) -> str:
    return show.NOTHING if found is None else f"{found['value']:.3f}"


def _labels(row: ScoreModel) -> dict[str, str]:
    return {one.name: one.label for one in COLUMNS[Subject(row.subject)]}


def _findings(row: ScoreModel, heading: str) -> Any:
    labels = _labels(row)
    return show.table(
        ("Fact", "Why"),
        ((labels.get(one["column"], one["column"]), one["reason"]) for one in row.card[heading]),
    )


def _plotted(bins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bins as the picture draws them, on a square of 200 with the origin at the bottom."""
    return [
        {
            "x": round(200 * one["expected"], 1),
            "y": round(200 - 200 * one["happened"], 1),
            "expected": f"{100 * one['expected']:.0f} %",
            "happened": f"{100 * one['happened']:.0f} %",
            "rows": one["rows"],
        }
        for one in bins
    ]
