"""`python -m benchmarks runtimes`: exported models in the programs that read ONNX.

`models` has each kind of layer and the networks, and random layers; `runner` runs a folder
of them in one runtime, and needs that runtime and NumPy alone. `int8` quantizes a run.

What no export can mend, with 2,000 random layers (300 in OpenVINO) on 2026-11-28:

- circular padding is refused by ONNX Runtime 1.15, OpenVINO 2026.4 and tract 0.23: their
  Pad has no mode "wrap";
- OpenVINO refuses some poolings with dilation and ceil_mode (2 of 300);
- OpenCV 5.0 computes other numbers, which change from run to run, on the border of a
  padded convolution with a kernel of 1 x 1 and several channels (3 of 2,000);
- onnx.reference 1.23 computes BatchNorm2d otherwise before opset 14 (findings/), and
  refuses transposed convolutions with groups.

ONNX Runtime 1.15 has an environment of its own, with Python 3.11 at most and NumPy 1:

    python3.11 -m venv OLD; OLD/bin/pip install onnxruntime==1.15.1 'numpy<2'
    python -m benchmarks runtimes --random 2000 --python onnxruntime=OLD/bin/python
"""
