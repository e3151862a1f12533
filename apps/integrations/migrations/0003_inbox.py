"""Partners, the inbox, and the triggers that write their history."""

import apps.core.encryption.columns
import apps.core.identifiers
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from apps.core.history import Watch


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0012_publish'),
        ('integrations', '0002_history'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Partner',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('key', models.SlugField(help_text='In its address and queue, such as marketing.', unique=True)),
                ('name', models.CharField(max_length=100)),
                ('kind', models.CharField(choices=[('marketing', 'Marketing'), ('billing', 'Billing'), ('customer_experience', 'Customer Experience'), ('support', 'Support')], help_text='Which says what it may tell us.', max_length=30)),
                ('secret', models.BinaryField()),
                ('former_secret', models.BinaryField(null=True)),
                ('former_until', models.DateTimeField(editable=False, null=True)),
                ('paused_at', models.DateTimeField(editable=False, null=True)),
                ('client', models.ForeignKey(help_text='The machine client in whose name its messages act.', on_delete=django.db.models.deletion.PROTECT, related_name='partners', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='InboundMessage',
            fields=[
                ('id', models.UUIDField(default=apps.core.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('message_id', models.CharField(max_length=255)),
                ('type', models.CharField(blank=True, max_length=100)),
                ('told_at', models.DateTimeField(blank=True, null=True)),
                ('status', models.CharField(choices=[('received', 'Received'), ('handled', 'Handled'), ('refused', 'Refused'), ('dead', 'Dead')], default='received', max_length=10)),
                ('attempts', models.SmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('handled_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.TextField(blank=True)),
                ('email', apps.core.encryption.columns.EncryptedText(blank=True, max_length=255)),
                ('email_key', models.CharField(blank=True, editable=False, max_length=20)),
                ('body', apps.core.encryption.columns.EncryptedText(blank=True, max_length=1000000)),
                ('data_key', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='core.datakey')),
                ('partner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='messages', to='integrations.partner')),
            ],
        ),
        migrations.AddConstraint(
            model_name='partner',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ('marketing', 'billing', 'customer_experience', 'support'))), name='partner_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='partner',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('former_secret', None), ('former_until', None)), models.Q(('former_secret__isnull', False), ('former_until__isnull', False)), _connector='OR'), name='partner_former_secret_ends'),
        ),
        migrations.AddIndex(
            model_name='inboundmessage',
            index=models.Index(fields=['-created_at', '-id'], name='inbox_newest'),
        ),
        migrations.AddIndex(
            model_name='inboundmessage',
            index=models.Index(fields=['status', '-created_at', '-id'], name='inbox_by_status'),
        ),
        migrations.AddIndex(
            model_name='inboundmessage',
            index=models.Index(condition=models.Q(('status', 'received')), fields=['due_at'], name='inbox_due'),
        ),
        migrations.AddIndex(
            model_name='inboundmessage',
            index=models.Index(condition=models.Q(('status', 'handled')), fields=['handled_at'], name='inbox_handled'),
        ),
        migrations.AddIndex(
            model_name='inboundmessage',
            index=models.Index(condition=models.Q(('email_key', ''), _negated=True), fields=['email_key'], name='inbox_by_email'),
        ),
        migrations.AddConstraint(
            model_name='inboundmessage',
            constraint=models.UniqueConstraint(models.F('partner'), models.F('message_id'), name='inbox_message_once'),
        ),
        migrations.AddConstraint(
            model_name='inboundmessage',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('due_at__isnull', False), ('status', 'received')), models.Q(('due_at', None), ('status__in', ('handled', 'refused', 'dead'))), _connector='OR'), name='inbox_received_is_due'),
        ),
        migrations.AddConstraint(
            model_name='inboundmessage',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('handled_at__isnull', False), ('status', 'handled')), models.Q(models.Q(('status', 'handled'), _negated=True), ('handled_at', None)), _connector='OR'), name='inbox_handled_at_some_time'),
        ),
        Watch("partner", "partners", leave_out=("secret", "former_secret")),
        Watch(
            "inboundmessage",
            "inbound_messages",
            leave_out=("data_key_id", "email", "email_key", "body", "due_at"),
        ),
    ]
