"""What may be asked about the organisation: parsed like commands, every wrong field named."""

from libs.kernel.values import Command, FunctionName, ManagerName


class OneFunction(Command):
    """A function by its name."""

    name: FunctionName


class OneManager(Command):
    """A manager by his name."""

    manager: ManagerName


class FunctionsAsked(Command):
    """Functions that are a part of one, or led by somebody: whichever are named."""

    parent: FunctionName | None = None
    head: ManagerName | None = None


class AuthoritiesAsked(Command):
    """Authorities of one manager, for one function: whichever are named."""

    manager: ManagerName | None = None
    function: FunctionName | None = None
