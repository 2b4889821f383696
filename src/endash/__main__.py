"""``python -m endash``: the command line."""

import sys

from endash.cli import main

sys.exit(main())
