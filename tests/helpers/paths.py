"""Where the data are that do not ship with the package."""

from pathlib import Path

# Beside the repository; tests that need it are skipped where it is not.
SHARED = Path(__file__).parents[3] / "shared"
