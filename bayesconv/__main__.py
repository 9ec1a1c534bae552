"""`python -m bayesconv` is the command line."""

import sys

from bayesconv.cli import main

if __name__ == "__main__":
    sys.exit(main())
