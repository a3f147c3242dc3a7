"""`python3 -m simulator.receiver`; see server.py."""

from simulator.receiver.server import main

main()
