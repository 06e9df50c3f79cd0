"""Recognises errors of an apply that pass by themselves."""

import re

TRIES = 5
SECONDS = (60.0, 120.0, 180.0, 240.0)
"""The waits before each further try: ten minutes together, because a new metric may take so
long."""

# What Google says, and what the operator is told. Others have reported these errors. We have not
# seen them, because nothing has been applied to Google Cloud from here.
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
    """Return why another try may work after an apply ended with this message; None if it may
    not."""
    words = " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╷╵]", " ", said).split())
    return next((why for pattern, why in _PASSING if re.search(pattern, words)), None)
