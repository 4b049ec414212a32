"""The errors a user can meet. Each message names the file, the field, what was expected and what came."""


class WesamError(ValueError):
    """A mistake in what was given (file, label, option) that the user can mend; never a bug of ours."""


class NothingFoundError(WesamError):
    """A search for objects without labels kept no mask of any image."""


class NonFiniteLossError(WesamError):
    """A loss became NaN or infinite; the message names the step and the samples of the batch."""


class WesamWarning(UserWarning):
    """Something that works, and that the user most likely did not mean."""
