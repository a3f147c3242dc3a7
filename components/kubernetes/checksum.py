"""A checksum of configuration that a program reads only when it starts, so that a change restarts its pods."""

import functools
import hashlib

import pulumi

ANNOTATION = "observability/config-checksum"


def checksum(text: pulumi.Input[str], salt: str) -> pulumi.Output[str]:
    """A checksum that may be public although `text` may be secret.

    Somebody who may read the pod, but not the Secret, could test guesses against a fast hash. This hash is as slow as
    one for passwords (about 50 ms for each guess), and the addresses in the text are long and random.
    """
    return pulumi.Output.unsecret(pulumi.Output.from_input(text).apply(lambda plain: slow_hash(plain, salt).hex()))


@functools.cache
def slow_hash(text: str, salt: str) -> bytes:
    """Sixteen bytes from which nobody gets the text but by guessing all of it.

    Slow on purpose, so results are kept.
    """
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16)
