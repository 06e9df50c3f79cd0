"""Run in django-oscar's own environment: make its tables (`oscar_tables.py FOLDER DATABASE`)."""

import sys

import django
import oscar
import oscar.defaults
from django.apps import apps
from django.conf import settings
from django.core.management import call_command

folder, database = sys.argv[1:]
ENGINE = "django.db.backends.postgresql"
shop = {name: getattr(oscar.defaults, name) for name in dir(oscar.defaults) if name[:5] == "OSCAR"}
settings.configure(
    DATABASES={"default": {"ENGINE": ENGINE, "NAME": database, "HOST": folder, "USER": "postgres"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
    INSTALLED_APPS=oscar.INSTALLED_APPS,
    SECRET_KEY="of a test",
    SITE_ID=1,
    USE_TZ=True,
    **shop,
)
django.setup()
# As the models are today: the migrations before come to the same, and take ten times as long.
settings.MIGRATION_MODULES = {it.label: None for it in apps.get_app_configs()}
call_command("migrate", verbosity=0, run_syncdb=True, interactive=False, skip_checks=True)
