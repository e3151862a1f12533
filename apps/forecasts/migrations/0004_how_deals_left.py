"""Facts say what became of deals that count no more."""

from django.db import migrations, models

# What is lost now left as lost; so did, as far as anybody can tell, what was taken up again since.
_NOTE_LEFT = """
UPDATE forecasts_forecastfact f
SET left_as = CASE WHEN o.deleted_at IS NULL AND o.kind <> 'lost'
                    AND NOT EXISTS (SELECT FROM forecasts_forecastfact k
                                    WHERE k.opportunity_id = f.opportunity_id
                                      AND k.began_at > f.ended_at)
                   THEN 'removed' WHEN o.deleted_at IS NOT NULL THEN 'removed' ELSE 'lost' END
FROM opportunities_opportunity o
WHERE o.id = f.opportunity_id AND f.ended_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM forecasts_forecastfact n
                  WHERE n.opportunity_id = f.opportunity_id AND n.began_at = f.ended_at)
"""


class Migration(migrations.Migration):
    dependencies = [("forecasts", "0003_history"), ("quotas", "0004_branches")]

    operations = [
        migrations.AddField(
            "forecastfact",
            "left_as",
            models.CharField(
                blank=True,
                choices=[("lost", "Lost"), ("removed", "Taken out")],
                default="",
                max_length=10,
            ),
            preserve_default=False,
        ),
        migrations.RunSQL(_NOTE_LEFT, migrations.RunSQL.noop),
    ]
