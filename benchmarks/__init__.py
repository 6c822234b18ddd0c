"""How fast minicnn is beside torch on the same CPU: `python -m benchmarks --help`."""
