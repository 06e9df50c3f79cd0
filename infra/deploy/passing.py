"""Errors of an apply that pass by themselves, and how long each may take."""

import re

TRIES = 5
SECONDS = (60.0, 120.0, 180.0, 240.0)
"""Before each further try: ten minutes together, as long as a new metric may stay unseen."""

# What Google says, and what the operator is told. Reported by others, not seen here: nothing of
# this has been applied to Google Cloud.
_PASSING = (
    ("Unable to retrieve the repository metadata", "the functions' first repository is new"),
    (r"has not been used in project \S+ before or it is disabled", "an API was just enabled"),
    (r"Service account \S+ does not exist", "a service agent or an account is new"),
    ("Cannot find metric that matches type", "an alert's metric is not visible yet"),
    ("The metric referenced by the provided filter is unknown", "an alert's metric is not visible"),
    (r"Error 404: .*metric", "an alert's metric is not visible yet"),
    (r"cloudkms\.\S+' denied|does not have permission to use the .*key", "the key's grant is new"),
    (r"iam\.service[aA]ccounts\.actAs", "an account's grant is new"),
)


def passing(said: str) -> str | None:
    """Return why an apply that ended with these words may work if it is tried again, or None."""
    words = " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╷╵]", " ", said).split())
    return next((why for pattern, why in _PASSING if re.search(pattern, words)), None)
