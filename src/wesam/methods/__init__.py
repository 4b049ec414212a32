"""Methods of adaptation. Importing a method's file registers it: a new one is a file and a line here."""

import wesam.methods.direct
import wesam.methods.supervised
import wesam.methods.wesam  # noqa: F401
