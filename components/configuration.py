"""Passes Pulumi's configuration, and a check of the AWS account, to settings/. No other module reads it."""

import pulumi
from pulumi.runtime import config as runtime_config

from components.eks import preflight
from settings import stack
from settings.parsing import PROJECT
from settings.stack import Settings, SettingsError


def load() -> Settings:
    """The settings of the selected stack. Raises pulumi.RunError with one line for each problem."""
    prefix = f"{PROJECT}:"
    secret = runtime_config.get_config_secret_keys_env()
    raw = {
        key.removeprefix(prefix): str(value)
        for key, value in (runtime_config.get_config_env() | runtime_config.CONFIG.get()).items()
        if key.startswith(prefix)
    }
    encrypted = {key for key in raw if prefix + key in secret or runtime_config.is_config_secret(prefix + key)}
    try:
        return stack.parse(raw, encrypted, ask_aws=preflight.check, stack=pulumi.get_stack())
    except SettingsError as error:
        # The engine prints only the text of a RunError, without a traceback.
        raise pulumi.RunError(str(error)) from error
