"""Time series: one `Store` protocol, an embedded SQLite store and an InfluxDB store behind it."""

from timeseries.base import SCHEMA, Batch, Measurement, Store, Table
from timeseries.opening import open_store

__all__ = ["SCHEMA", "Batch", "Measurement", "Store", "Table", "open_store"]
