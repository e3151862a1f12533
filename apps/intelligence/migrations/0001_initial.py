"""Models that were learned, and what they say of open deals."""

import apps.core.identifiers
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from apps.core.history import Watch


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('core', '0012_publish'),
        ('opportunities', '0006_closings_of_owner'),
    ]

    operations = [
        migrations.CreateModel(
            name='ScoreModel',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('subject', models.CharField(choices=[('deal', 'Deal'), ('lead', 'Lead')], max_length=10)),
                ('version', models.IntegerField()),
                ('state', models.CharField(choices=[('published', 'Published'), ('challenger', 'Challenger'), ('retired', 'Retired'), ('refused', 'Refused')], max_length=12)),
                ('verdict', models.CharField(choices=[('better', 'Better than the rules'), ('no_signal', 'No signal in your data'), ('too_few', 'Too few closed rows'), ('too_good', 'Too good to be true')], max_length=12)),
                ('card', models.JSONField()),
                ('trees', models.TextField(blank=True)),
                ('digest', models.CharField(blank=True, max_length=64)),
                ('published_at', models.DateTimeField(null=True)),
                ('retired_at', models.DateTimeField(null=True)),
                ('drift', models.JSONField(null=True)),
                ('drift_checked_at', models.DateTimeField(null=True)),
                ('job', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='core.job')),
            ],
        ),
        migrations.CreateModel(
            name='DealProbability',
            fields=[
                ('opportunity', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='opportunities.opportunity')),
                ('probability', models.DecimalField(decimal_places=5, max_digits=6)),
                ('scored_at', models.DateTimeField()),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='intelligence.scoremodel')),
            ],
            options={
                'verbose_name_plural': 'deal probabilities',
            },
        ),
        migrations.AddConstraint(
            model_name='scoremodel',
            constraint=models.UniqueConstraint(models.F('subject'), models.F('version'), name='score_model_version_once'),
        ),
        migrations.AddConstraint(
            model_name='scoremodel',
            constraint=models.UniqueConstraint(models.F('subject'), condition=models.Q(('state', 'published')), name='score_model_one_published'),
        ),
        migrations.AddConstraint(
            model_name='scoremodel',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'refused'), models.Q(('verdict', 'better'), models.Q(('trees', ''), _negated=True)), _connector='OR'), name='score_model_is_better'),
        ),
        migrations.AddConstraint(
            model_name='scoremodel',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'published'), _negated=True), ('published_at__isnull', False), _connector='OR'), name='score_model_published_when'),
        ),
        migrations.AddConstraint(
            model_name='dealprobability',
            constraint=models.CheckConstraint(condition=models.Q(('probability__gt', 0), ('probability__lt', 1)), name='deal_probability_open'),
        ),
        Watch(
            "scoremodel", "score_models", leave_out=("card", "trees", "drift", "drift_checked_at")
        ),
    ]
