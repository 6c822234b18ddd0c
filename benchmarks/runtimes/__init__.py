"""`python -m benchmarks runtimes`: exported models in the programs that read ONNX.

`models` has each kind of layer and the networks, and random layers; `runner` runs a folder
of them in one runtime, and needs that runtime and NumPy alone.
"""
