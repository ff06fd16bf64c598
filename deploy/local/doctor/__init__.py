"""`flick doctor`: whether this machine can carry FLick, and how to mend what stands in the way."""

from deploy.local.doctor.run import DoctorOptions, run

__all__ = ["DoctorOptions", "run"]
