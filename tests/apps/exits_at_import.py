"""Leaves at import, as a script does that was taken for an application."""

import sys

sys.exit(3)
