"""From the settings of a stack to the arguments of its components, and to the stack's outputs."""
