"""The settings of a stack: keys, types, conflicts and stack files, and the names, ports, sizes and versions behind
them. Pure: this package reads files only, makes no network calls and imports no SDK."""
