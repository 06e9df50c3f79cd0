"""The check of a tenant's ERP while the tenant is activated."""

from datetime import UTC, datetime

from infra.cli.errors import CliError, MissingError, UsageError
from smartlink.i18n import _, data
from smartlink.operations.activation import ErpChecked

_SAMPLE = 200  # rows of each table: `smartlink tpd check` looks at more


def check_erp(payload: bytes) -> ErpChecked:
    """Checks a map and its database by the secret's payload; returns why it could not, if so."""
    # Only a tenant with an ERP pays for these imports.
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from consumers.sgdp.failures import described  # noqa: PLC0415
    from consumers.sgdp.inspection.check import check  # noqa: PLC0415
    from consumers.sgdp.inspection.findings import Level  # noqa: PLC0415
    from consumers.sgdp.proof import UnprovenError, check_proven  # noqa: PLC0415
    from infra.cli.erp_source import loaded_map, of_secret  # noqa: PLC0415

    try:
        found = of_secret(payload, _("the ERP's secret"))
        data_map = loaded_map(None, found)
    except (UsageError, MissingError):
        return ErpChecked(faults=1)  # no consumer can use it either
    except CliError as error:
        return ErpChecked(unchecked=data(error))
    try:
        check_proven(found.engine.url, unproven=found.unproven)
    except UnprovenError as error:
        return ErpChecked(unchecked=data(error))
    try:
        report = check(found.engine, data_map, found.salt, _SAMPLE, datetime.now(UTC).date())
    except SQLAlchemyError as error:
        return ErpChecked(
            unchecked=_("the database does not answer: {described}", described=described(error))
        )
    return ErpChecked(report.count(Level.FAULT), report.count(Level.WARNING))
