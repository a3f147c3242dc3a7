"""Garbage that a test leaves behind fails no other test."""

import ast
import asyncio
import gc
import traceback
from pathlib import Path


def test_a_parser_may_be_interrupted_by_the_collection_of_an_open_event_loop() -> None:
    """In Python 3.11, the parser fails if the report about the loop parses code, as pytest's report does."""
    source, thresholds = Path(traceback.__file__).read_text(), gc.get_threshold()
    gc.set_threshold(2000, 1, 1)
    try:
        for _ in range(30):
            gc.disable()
            loop: object = asyncio.new_event_loop()
            vars(loop)["itself"] = loop  # only the collector finds it
            del loop
            gc.enable()
            ast.parse(source)
    finally:
        gc.enable()
        gc.set_threshold(*thresholds)
