"""Methods of adaptation. Importing a method's file registers it: a new one is a file and a line here."""

import wesam.methods.dept
import wesam.methods.direct
import wesam.methods.resam
import wesam.methods.sam_tta
import wesam.methods.shot
import wesam.methods.soft_teacher
import wesam.methods.supervised
import wesam.methods.tent
import wesam.methods.tribe
import wesam.methods.wdass
import wesam.methods.wesam
import wesam.methods.wesam_journal  # noqa: F401
