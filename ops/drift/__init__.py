"""What is no longer as the last `up` left it; see command.py."""
