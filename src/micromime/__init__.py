"""Labelled synthetic micrographs from parametric models, and networks trained on them."""

from micromime.home import make_do

make_do()  # before any library looks for its folders
