"""Records every notification that Alertmanager delivers."""
