"""A fingerprint of configuration that a program reads only at its start, so that a change restarts its pods."""

import hashlib

import pulumi

ANNOTATION = "observability/config-checksum"


def checksum(text: pulumi.Input[str], salt: str) -> pulumi.Output[str]:
    """A fingerprint that may be shown although `text` may be secret.

    Whoever may read a pod, but not the Secret, could try guesses against a plain hash. This one is as slow as a
    password's (some 50 ms a guess), and the addresses in the text are long and random.
    """
    return pulumi.Output.unsecret(pulumi.Output.from_input(text).apply(lambda plain: _slow_hash(plain, salt)))


def _slow_hash(text: str, salt: str) -> str:
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16).hex()
