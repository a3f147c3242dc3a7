"""`make attack`: what a pod in a namespace of its own may not do to others, tried on a running stack."""
