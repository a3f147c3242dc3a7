"""Stand-ins for Pulumi's providers, used where the official plugins can not be had."""
