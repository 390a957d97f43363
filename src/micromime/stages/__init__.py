"""The stages of dvc.yaml, a file each, with a function of its name: read sections of params.yaml, call, write."""
