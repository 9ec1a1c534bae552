"""Benchmarks: figures that anyone can reproduce."""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # which TensorFlow leaves off on some processors
