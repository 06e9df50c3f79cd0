"""Run in pretalx' own environment: make its tables (`pretalx_tables.py FOLDER DATABASE`)."""

import os
import sys
import tempfile

folder, database = sys.argv[1:]
with tempfile.TemporaryDirectory() as data:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="pretalx.settings",
        PRETALX_DB_HOST=folder,
        PRETALX_DB_NAME=database,
        PRETALX_DB_TYPE="postgresql",
        PRETALX_DB_USER="postgres",
        PRETALX_FILESYSTEM_DATA=data,
    )
    import django
    from django.apps import apps
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    # As the models are today: the migrations before come to the same, and take ten times as long.
    settings.MIGRATION_MODULES = {it.label: None for it in apps.get_app_configs()}
    call_command("migrate", verbosity=0, run_syncdb=True, interactive=False, skip_checks=True)
