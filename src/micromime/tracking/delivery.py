"""Send the letters that wait for MLflow's store: before a stage tells it more, or when a person asks for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from micromime.engines.local import Progress, alone, run_here
from micromime.mistakes import Mistake
from micromime.tracking.letters import send
from micromime.tracking.outbox import OUTBOX, go_offline, held, letters, offline, read_letter, throw_away
from micromime.tracking.store import Unreachable, prepare_store, served, store_name


@dataclass
class Delivery:
    """What became of the letters that waited."""

    sent: int = 0
    unfinished: int = 0
    """Letters of runs that still go on."""
    refused: list[str] = field(default_factory=list)
    """What a store that answers said of letters that it did not take; they go on waiting."""


def open_store(experiment: str) -> None:
    """Make the store ready for what is to be told, and first send what waits for it.

    A server that does not answer stops nothing: what it is to be told is kept from then on. Raises Mistake where a
    store without a server fails, or where the experiment was deleted.
    """
    if offline():
        return
    try:
        prepare_store(experiment)
    except Unreachable as why:
        if not served():
            raise
        go_offline(why)
    else:
        _send_what_waits(letters_for(store_name()))


def _send_what_waits(waiting: Sequence[Path]) -> None:
    """Send letters; where that cannot be, what is told now must not overtake them."""
    if not waiting:
        return
    try:
        told = deliver(waiting)
    except Mistake as why:
        go_offline(why)
        return
    refused = f", {len(told.refused)} were refused (`micromime sync` says why)" if told.refused else ""
    print(f"micromime: {told.sent} of {len(waiting)} letters that waited were sent to MLflow{refused}", flush=True)


def letters_for(store: str) -> list[Path]:
    """Return the letters that wait for a store, the oldest first."""
    return [each for each in letters() if read_letter(each)["store"] == store]


def deliver(waiting: Sequence[Path]) -> Delivery:
    """Send letters to the store, one after the other; each that was taken is thrown away.

    Raises Unreachable where the store does not answer any more, and Mistake where another process sends letters.
    """
    told, left = Delivery(), list(waiting)

    def deliver_one(folder: Path) -> None:
        with held(folder) as ours:
            if ours:
                _deliver(folder, told)
            else:
                told.unfinished += 1
        left.remove(folder)

    with alone(OUTBOX):
        run_here(deliver_one, waiting, Progress("sync", "letters", len(waiting), lambda: len(waiting) - len(left)))
    return told


def _deliver(folder: Path, told: Delivery) -> None:
    try:
        send(folder)
    except Mistake as refusal:
        prepare_store(read_letter(folder)["described"]["use_case"])  # raises where it is not this letter alone
        told.refused.append(f"{folder.name}: {refusal}")
    else:
        told.sent += 1
        throw_away(folder)
