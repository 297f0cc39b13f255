"""A policy in Python: it pins every checkpoint whose step is a multiple of `every`."""

import json

from componentize_py_types import Err
from wit_world.imports import checkpoints, log
from wit_world.imports.log import Level
from wit_world.imports.types import Event, Occurrence_CheckpointComplete


def every(settings: str) -> int:
    """The one setting; raising `Err` refuses it in words, anything else ends the bot."""
    value = json.loads(settings or "{}").get("every", 1000)
    if not isinstance(value, int) or value < 1:
        raise Err("`every` is a number of steps, 1 or more")
    return value


class WitWorld:
    def configure(self, settings: str) -> None:
        every(settings)

    def handle(self, event: Event, settings: str) -> None:
        if isinstance(event.what, Occurrence_CheckpointComplete):
            it = event.what.value
            if it.step % every(settings) == 0:
                checkpoints.pin(it.run, it.step, f"a multiple of {every(settings)}")
                log.line(Level.INFO, f"pinned {it.run} step {it.step}")
