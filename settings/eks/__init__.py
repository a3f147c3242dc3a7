"""Keys, conflicts and facts that apply only when cloud is eks."""
