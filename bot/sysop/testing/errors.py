"""What goes wrong in a test: all of it is a failed assertion, with words that say what was there instead."""


class NotThere(AssertionError):
    """A person, a button, a field or a message that a test names and nobody sees."""


class NotSettled(AssertionError):
    """Something is still under way after all the time it had."""


class Refused(AssertionError):
    """The workspace, or Sysop's answer to a form, refuses what a person did; `errors` are those beside the fields."""

    def __init__(self, message: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or {}
