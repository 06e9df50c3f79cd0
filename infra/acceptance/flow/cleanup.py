"""Removes all that a run left, or an earlier one that was killed."""

import base64
import json
from functools import partial
from typing import Any
from urllib.parse import quote

from infra.acceptance.errors import DiffersError
from infra.acceptance.place import Place
from smartlink.domain.tenant import ACCEPTANCE_TENANT

CLIENT = "acceptance-"
"""Begins the client id of each run's tenant."""

_PAGE = "300"


def check_name(place: Place) -> None:
    """Raise DiffersError if the tenant is there and no acceptance made it: it is not ours to
    remove."""
    name = f"smartlink-tenant-{ACCEPTANCE_TENANT}"
    path = f"/v1/projects/{place.settings.project}/secrets/{name}/versions/latest:access"
    answer = place.call("secretmanager", "GET", path)
    if answer.missing:
        return
    body = answer.needed(f"read the secret {name}")
    payload = json.loads(base64.b64decode(body["payload"]["data"]))
    if not str(payload.get("clientId", "")).startswith(CLIENT):
        message = (
            f"there is a tenant {ACCEPTANCE_TENANT} that no acceptance made, and only an "
            "acceptance may have that name: remove it, or give it another one"
        )
        raise DiffersError(message)


def remove_secrets(place: Place) -> None:
    """Delete the tenant's secrets, so that no poll takes it for a tenant."""
    for kind in ("tenant", "erp"):
        name = f"smartlink-{kind}-{ACCEPTANCE_TENANT}"
        path = f"/v1/projects/{place.settings.project}/secrets/{name}"
        answer = place.call("secretmanager", "DELETE", path)
        if not answer.missing:
            answer.needed(f"delete the secret {name}")


def remove_documents(place: Place) -> None:
    """Delete the tenant's documents, and its objects in the bucket of contents."""
    config = place.settings
    root = f"projects/{config.project}/databases/{config.firestore_database}/documents"
    tenant = f"{root}/tenants/{ACCEPTANCE_TENANT}"
    listed = place.call("firestore", "POST", f"/v1/{tenant}:listCollectionIds", {"pageSize": 100})
    for collection in listed.needed("list the tenant's collections").get("collectionIds", ()):
        while names := _page(place, tenant, collection):
            _delete(place, root, names)
    _delete(place, root, [tenant])
    objects = f"/storage/v1/b/{config.bucket}/o"
    prefix = f"{ACCEPTANCE_TENANT}/"
    for it in place.listed("storage", objects, "items", prefix=prefix):
        path = f"{objects}/{quote(it['name'], safe='')}"
        answer = place.call("storage", "DELETE", path)
        if not answer.missing:
            answer.needed("delete an object of the tenant")


def _page(place: Place, tenant: str, collection: str) -> list[str]:
    query = {"pageSize": _PAGE, "mask.fieldPaths": "__name__"}
    answer = place.call("firestore", "GET", f"/v1/{tenant}/{collection}", **query)
    body = answer.needed(f"list the tenant's documents in {collection}")
    return [str(it["name"]) for it in body.get("documents", ())]


def _delete(place: Place, root: str, names: list[str]) -> None:
    writes: list[Any] = [{"delete": name} for name in names]
    answer = place.call("firestore", "POST", f"/v1/{root}:commit", {"writes": writes})
    answer.needed("delete the tenant's documents")


def by_hand(place: Place) -> dict[str, str]:
    """What a person does to remove the same; the next run does it first, too."""
    project = f"--project={place.settings.project}"
    return {
        "documents": (
            f"delete tenants/{ACCEPTANCE_TENANT} with its collections in Firestore's console, and "
            f"gcloud storage rm -r gs://{place.settings.bucket}/{ACCEPTANCE_TENANT}/"
        ),
        "secrets": " ; ".join(
            f"gcloud secrets delete smartlink-{kind}-{ACCEPTANCE_TENANT} {project} --quiet"
            for kind in ("tenant", "erp")
        ),
    }


def clean_later(place: Place) -> None:
    """Remember to remove the documents."""
    place.later(
        f"the documents and objects of {ACCEPTANCE_TENANT}: {by_hand(place)['documents']}",
        partial(remove_documents, place),
    )
