"""What `micromime` does besides the stages of dvc.yaml: one module for each command, called by `cli.py`."""
