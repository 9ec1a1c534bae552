"""Benchmarks: figures that anyone can reproduce."""
