"""Run in Tryton's own environment: make its tables (`tryton_tables.py FOLDER DATABASE`)."""

import os
import sys

from trytond import config

folder, database = sys.argv[1:]
os.environ.update(PGHOST=folder, PGUSER="postgres")
config.set("database", "uri", "postgresql:///")

# Which backend there is, is decided when these are imported.
from trytond import backend, convert, modules  # noqa: E402
from trytond.pool import Pool  # noqa: E402
from trytond.transaction import Transaction  # noqa: E402

# The tables alone: what the modules bring along (countries, screens, translations) is nobody's, and
# takes most of the time.
convert.TrytondXmlHandler.parse_xmlstream = lambda *_: None
modules.load_translations = lambda *_: None

Pool.start()
with Transaction().start(database, 0):
    made = backend.Database(database)
    made.connect()
    made.init()
Pool(database).init(update=["party", "account_invoice"], lang=[], activatedeps=True, indexes=False)
