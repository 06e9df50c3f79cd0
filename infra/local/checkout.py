"""The paths of this checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ROOT / "functions"
CATALOG = ROOT / "infra" / "catalog.json"
DEFAULT_TENANTS = Path(__file__).with_name("tenants.json")
STATE = ROOT / ".local"
