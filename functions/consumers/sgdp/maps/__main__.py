"""`python -m consumers.sgdp.maps` writes the JSON Schema anew: its source is the map's model."""

from consumers.sgdp.maps import SCHEMA, json_schema

if __name__ == "__main__":
    SCHEMA.write_text(json_schema(), encoding="utf-8")
