"""The partial models there are: one file each, its name the key in params.yaml."""
