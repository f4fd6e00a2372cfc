"""``python -m nodetide``."""

import sys

from nodetide.cli import main

if __name__ == "__main__":
    sys.exit(main())
