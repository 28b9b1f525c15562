"""Reads files of other people's making into the inventory. Reading, judging and writing are kept
apart: `source` and its readers open files, `values`, `points`, `devices` and `polygons` judge rows
without touching a database, `write` stores what was accepted. A `Report` tells of every row.
"""
