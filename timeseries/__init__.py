"""Time series: one `Store` protocol, an embedded SQLite store and an InfluxDB store behind it."""

from timeseries.base import SCHEMA, Batch, Health, Measurement, Store, Table
from timeseries.checking import CleanBatch, clean_batch, clean_values
from timeseries.opening import open_store
from timeseries.tags import clean_tag

__all__ = [
    "SCHEMA",
    "Batch",
    "CleanBatch",
    "Health",
    "Measurement",
    "Store",
    "Table",
    "clean_batch",
    "clean_tag",
    "clean_values",
    "open_store",
]
