"""Send to MLflow what was kept while its server did not answer."""

from collections import Counter

from micromime.mistakes import Mistake
from micromime.tracking.delivery import deliver, letters_for
from micromime.tracking.outbox import OUTBOX, letters, read_letter
from micromime.tracking.store import store_name


def sync(moved: bool) -> None:
    """Send the letters that wait for this store, or those for any store where that has `moved`; say what is left.

    Sent letters are thrown away; a sync that is interrupted, or repeated, doubles nothing.
    """
    store = store_name()
    waiting = letters() if moved else letters_for(store)
    told = deliver(waiting)
    print(f"{told.sent} letters were sent to {store}; {len(letters())} wait in {OUTBOX}.")
    if told.unfinished:
        print(f"{told.unfinished} are of runs that still go on; sync again when they have ended.")
    if told.refused:
        raise Mistake(
            f"{store} did not take {len(told.refused)} letters, the first being {told.refused[0]} They stay; put that "
            "right and sync again, or delete their folders."
        )
    others = Counter(read_letter(each)["store"] for each in letters()) - Counter({store: len(letters_for(store))})
    if others:
        for_them = ", ".join(f"{number} for {name}" for name, number in others.items())
        raise Mistake(
            f"Letters wait for other stores than {store}: {for_them}; set MLFLOW_TRACKING_URI to theirs, or say "
            "`micromime sync --moved` if it is the same store at another address."
        )
