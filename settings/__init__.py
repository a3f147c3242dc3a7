"""The settings of a stack: keys, types, conflicts, stack files, and the names, ports, sizes and versions behind
them. Pure: reads files, asks nobody, imports no SDK."""
