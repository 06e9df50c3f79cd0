"""Names a database's failure without its text: a driver's message may quote values and the URL."""

from sqlalchemy.exc import DBAPIError, SQLAlchemyError


def described(error: SQLAlchemyError) -> str:
    """Name the driver's error and its codes: `InsufficientPrivilege 42501`."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return type(error).__name__
    codes = (getattr(error.orig, name, None) for name in ("sqlite_errorname", "sqlstate"))
    return " ".join([type(error.orig).__name__, *(str(code) for code in codes if code)])
