"""`python -m micromime`."""

from micromime.cli import main

main()
