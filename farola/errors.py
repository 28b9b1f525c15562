"""The one tree of errors. A message says what happened, to what, and what to do about it."""


class FarolaError(Exception):
    """A fault the user can act on: printed as one line on stderr, never as a traceback."""


class SettingsError(FarolaError):
    """`farola.toml`, an environment variable or a key file is missing or wrong."""


class InputError(FarolaError):
    """A file or value given by the user cannot be used as a whole."""


class InventoryError(FarolaError):
    """The inventory lacks what was asked for, or refuses what would contradict it."""


class StoreError(FarolaError):
    """The time series store cannot be reached, or refused a batch."""


class DeviceError(FarolaError):
    """A device could not be reached, refused us, or did not do what it said."""


class ProvisioningError(FarolaError):
    """A change cannot be prepared, pushed or taken back as asked."""


class PlanningError(FarolaError):
    """Coverage or a plan cannot be computed from what is in the inventory."""
