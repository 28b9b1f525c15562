"""Time series: one `Store` protocol, an embedded SQLite store and an InfluxDB store behind it."""

from timeseries.base import SCHEMA, Batch, Health, Measurement, Store, Table
from timeseries.checking import clean_tag, clean_values
from timeseries.opening import open_store

__all__ = [
    "SCHEMA",
    "Batch",
    "Health",
    "Measurement",
    "Store",
    "Table",
    "clean_tag",
    "clean_values",
    "open_store",
]
