"""What is suggested is about a deal or a lead."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("intelligence", "0003_over"), ("leads", "0008_found_by_campaign")]

    operations = [
        migrations.AddField(
            "suggestion",
            "lead",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="suggestions",
                to="leads.lead",
            ),
        ),
        migrations.AlterField(
            "suggestion",
            "opportunity",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="suggestions",
                to="opportunities.opportunity",
            ),
        ),
        migrations.AlterField(
            "suggestion",
            "ended_as",
            models.CharField(
                blank=True,
                choices=[
                    ("done", "Done"),
                    ("won", "Won"),
                    ("lost", "Lost"),
                    ("converted", "Converted"),
                    ("given_up", "Given up"),
                    ("deleted", "Deleted"),
                    ("lapsed", "Lapsed"),
                ],
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            "suggestion",
            models.Index(
                fields=["lead"],
                name="suggestion_of_lead",
                condition=models.Q(("lead", None), _negated=True),
            ),
        ),
        migrations.AddConstraint(
            "suggestion",
            models.UniqueConstraint(
                models.F("lead"),
                models.F("key"),
                condition=models.Q(("ended_at", None)),
                name="suggestion_of_lead_once",
            ),
        ),
        migrations.AddConstraint(
            "suggestion",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lead__isnull", False), ("opportunity", None)),
                    models.Q(("lead", None), ("opportunity__isnull", False)),
                    _connector="OR",
                ),
                name="suggestion_about_one",
            ),
        ),
    ]
