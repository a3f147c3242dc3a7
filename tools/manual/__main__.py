"""`python -m tools.manual`: builds the site, and says where it is."""

import sys

from tools.manual.site import main

if __name__ == "__main__":
    sys.exit(main())
