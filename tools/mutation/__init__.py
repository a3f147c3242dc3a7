"""Changes every rule and route slightly, and counts the changes that no test notices."""
