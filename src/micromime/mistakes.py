"""What a person can put right: said in one sentence, never as a traceback."""


class Mistake(Exception):
    """A mistake in what was asked for, not in micromime.

    The message is one sentence: it names the file, key or value, what was expected, and what to do.
    Commands print it and end with exit code 2.
    """
