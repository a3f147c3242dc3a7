"""What proves each alert, route and mute window."""
