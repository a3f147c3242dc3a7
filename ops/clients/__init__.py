"""HTTP clients and port-forwards to the programs of a running stack."""
