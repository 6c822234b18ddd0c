"""The products of a convolution: how an image becomes runs of numbers to multiply."""
