"""The inventory's commands; thin over `inventory.importers` and `inventory.queries`."""
