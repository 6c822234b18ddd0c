"""One file for each library: its own functions under torch's names.

An adapter takes and returns NumPy arrays and adds nothing: where it has to turn a layout
round or to pad first, its docstring says so. What a library does not offer is left out.

`PACKAGES` are the distributions whose versions are reported. `FLOAT32` says that the
library computes in float32 alone, `SQUARE` that its kernels are square. `step(work)`, if the
course's network can be trained, gives a function that makes one training step and returns the
loss.
"""
