"""``python -m erlconnect`` is the command ``erlconnect``."""

from erlconnect.command_line.app import main

main()
