"""Keys, conflicts and facts that count only when cloud is eks."""
