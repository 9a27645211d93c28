"""``python -m ganvas``."""

from ganvas.cli.main import main

main()
