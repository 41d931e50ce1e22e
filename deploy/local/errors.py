"""Why the system cannot run here: each error is one line that says what to do."""


class LocalError(Exception):
    """The system cannot start or go on."""


class PortInUse(LocalError):
    """Something else listens where one of ours should."""


class DataInUse(LocalError):
    """Another system works on the same data directory."""


class ChildFailed(LocalError):
    """A process of ours ended by itself, or did not become healthy in time."""


class Interrupted(Exception):
    """Somebody asked to stop before everything was up."""
