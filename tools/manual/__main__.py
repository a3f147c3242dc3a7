"""`python -m tools.manual`: builds the site and prints its path."""

import sys

from tools.manual.site import main

if __name__ == "__main__":
    sys.exit(main())
