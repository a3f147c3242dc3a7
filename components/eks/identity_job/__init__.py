"""The Job that proves a pod's AWS identity: its calls, and the program that runs in its pods."""
