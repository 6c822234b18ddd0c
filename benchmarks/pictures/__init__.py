"""How well pictures as people bring them are read: `python -m benchmarks pictures RUN`."""
