"""Which layers: of each network the first, the widest, the deepest, and each odd one.

"Widest" has the most output channels; "deepest" is the last before the classifier. Odd is
what is strided, dilated, grouped, transposed or pooled in a way that no layer before it
is. Of linear layers the first stands here, and the classifier where it is another shape.
A layer that an earlier network has too stands here once, and none has more than 256 MB of
weights, so VGG's first linear layer is missing.

Shapes are those of the papers. An input has 224 pixels a side unless the network has a
size of its own.
"""

from typing import NamedTuple

from ..expression import read
from ..work import EAGER, TEXTBOOK, Bar, Layer

BARS = (Bar(EAGER, 1.15, 1.0), Bar(TEXTBOOK, 1.1, 1.0))
MEAN = Bar(EAGER, 0.70, 0.55)  # the geometric mean over all layers
BATCHES = (1, 8, 32)
LARGE_SIDE = 100  # pixels; such images come at most eight together
LARGE_COST = 1_000_000_000  # and those whose forward pass takes so many multiply-adds


class Member(NamedTuple):
    """One layer of the zoo."""

    network: str
    paper: str
    role: str  # first, widest, deepest, strided ...
    text: str  # the layer, as Python writes it
    image: tuple[int, ...]  # the input's shape without the batch

    @property
    def name(self) -> str:
        return f"{self.network}, {self.role}"

    @property
    def batches(self) -> tuple[int, ...]:
        return BATCHES[:-1] if self.large else BATCHES

    @property
    def large(self) -> bool:
        return max(self.image[1:], default=1) >= LARGE_SIDE or self.layer(1).forward_multiply_adds > LARGE_COST

    @property
    def kind(self) -> str:
        """What the picture tells apart."""
        layer = self.layer(1)
        if layer.layer != "Conv2d":
            return {"ConvTranspose2d": "transposed", "MaxPool2d": "pooling", "Linear": "linear"}[layer.layer]
        groups = layer.arguments["groups"]
        if groups > 1:
            return "depthwise" if groups == layer.arguments["in_channels"] else "grouped"
        return "1 x 1" if layer.arguments["kernel_size"] == 1 else "convolution"

    def layer(self, N: int) -> Layer:
        name, args, options = read(self.text)
        return Layer(self.name, name, args, options, (N, *self.image), bars=BARS)


NETWORKS: dict[tuple[str, str], list[tuple[str, str, tuple[int, ...]]]] = {
    ("LeNet-5", "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998"): [
        ("first", "Conv2d(1, 6, 5)", (1, 32, 32)),
        ("second", "Conv2d(6, 16, 5)", (6, 14, 14)),
        ("widest", "Conv2d(16, 120, 5)", (16, 5, 5)),
        ("linear", "Linear(120, 84)", (120,)),
    ],
    ("AlexNet", "Krizhevsky, Sutskever, Hinton: ImageNet classification with deep CNNs, 2012"): [
        ("first", "Conv2d(3, 96, 11, stride=4)", (3, 227, 227)),
        ("grouped", "Conv2d(96, 256, 5, padding=2, groups=2)", (96, 27, 27)),
        ("widest", "Conv2d(256, 384, 3, padding=1)", (256, 13, 13)),
        ("deepest", "Conv2d(384, 256, 3, padding=1, groups=2)", (384, 13, 13)),
        ("pooling", "MaxPool2d(3, stride=2)", (96, 55, 55)),
        ("linear", "Linear(9216, 4096)", (9216,)),
        ("classifier", "Linear(4096, 1000)", (4096,)),
    ],
    ("VGG-16", "Simonyan, Zisserman: Very deep CNNs for large-scale image recognition, 2015"): [
        ("first", "Conv2d(3, 64, 3, padding=1)", (3, 224, 224)),
        ("widest", "Conv2d(256, 512, 3, padding=1)", (256, 28, 28)),
        ("deepest", "Conv2d(512, 512, 3, padding=1)", (512, 14, 14)),
        ("pooling", "MaxPool2d(2)", (64, 224, 224)),
        ("linear", "Linear(4096, 4096)", (4096,)),
    ],
    ("GoogLeNet", "Szegedy et al.: Going deeper with convolutions, 2015"): [
        ("first", "Conv2d(3, 64, 7, stride=2, padding=3)", (3, 224, 224)),
        ("widest", "Conv2d(192, 384, 3, padding=1)", (192, 7, 7)),
        ("5 x 5", "Conv2d(48, 128, 5, padding=2)", (48, 7, 7)),
        ("deepest", "Conv2d(832, 128, 1)", (832, 7, 7)),
        ("pooling", "MaxPool2d(3, stride=2, ceil_mode=True)", (64, 112, 112)),
        ("pooling inside", "MaxPool2d(3, stride=1, padding=1)", (192, 28, 28)),
        ("classifier", "Linear(1024, 1000)", (1024,)),
    ],
    ("ResNet-50", "He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016"): [
        ("strided", "Conv2d(128, 128, 3, stride=2, padding=1)", (128, 56, 56)),
        ("strided 1 x 1", "Conv2d(256, 512, 1, stride=2)", (256, 56, 56)),
        ("widest", "Conv2d(512, 2048, 1)", (512, 7, 7)),
        ("deepest", "Conv2d(512, 512, 3, padding=1)", (512, 7, 7)),
        ("pooling", "MaxPool2d(3, stride=2, padding=1)", (64, 112, 112)),
        ("classifier", "Linear(2048, 1000)", (2048,)),
    ],
    ("ResNet-18", "He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016"): [
        ("first block", "Conv2d(64, 64, 3, padding=1)", (64, 56, 56)),
    ],
    ("ResNet-20", "He, Zhang, Ren, Sun: Deep residual learning (for CIFAR-10), 2016"): [
        ("first", "Conv2d(3, 16, 3, padding=1)", (3, 32, 32)),
        ("first block", "Conv2d(16, 16, 3, padding=1)", (16, 32, 32)),
        ("strided", "Conv2d(32, 64, 3, stride=2, padding=1)", (32, 16, 16)),
        ("deepest", "Conv2d(64, 64, 3, padding=1)", (64, 8, 8)),
    ],
    ("MobileNet", "Howard et al.: MobileNets, efficient CNNs for mobile vision applications, 2017"): [
        ("first", "Conv2d(3, 32, 3, stride=2, padding=1)", (3, 224, 224)),
        ("depthwise", "Conv2d(32, 32, 3, padding=1, groups=32)", (32, 112, 112)),
        ("strided depthwise", "Conv2d(64, 64, 3, stride=2, padding=1, groups=64)", (64, 112, 112)),
        ("middle depthwise", "Conv2d(512, 512, 3, padding=1, groups=512)", (512, 14, 14)),
        ("deepest depthwise", "Conv2d(1024, 1024, 3, padding=1, groups=1024)", (1024, 7, 7)),
        ("widest", "Conv2d(1024, 1024, 1)", (1024, 7, 7)),
    ],
    ("MobileNetV2", "Sandler et al.: Inverted residuals and linear bottlenecks, 2018"): [
        ("expansion", "Conv2d(16, 96, 1)", (16, 112, 112)),
        ("strided depthwise", "Conv2d(96, 96, 3, stride=2, padding=1, groups=96)", (96, 112, 112)),
        ("projection", "Conv2d(96, 24, 1)", (96, 56, 56)),
        ("deepest depthwise", "Conv2d(960, 960, 3, padding=1, groups=960)", (960, 7, 7)),
        ("widest", "Conv2d(320, 1280, 1)", (320, 7, 7)),
    ],
    ("ResNeXt-50", "Xie et al.: Aggregated residual transformations for deep neural networks, 2017"): [
        ("grouped", "Conv2d(128, 128, 3, padding=1, groups=32)", (128, 56, 56)),
        ("strided grouped", "Conv2d(256, 256, 3, stride=2, padding=1, groups=32)", (256, 56, 56)),
        ("deepest grouped", "Conv2d(1024, 1024, 3, padding=1, groups=32)", (1024, 7, 7)),
    ],
    ("ShuffleNet", "Zhang et al.: ShuffleNet, an extremely efficient CNN for mobile devices, 2018"): [
        ("grouped 1 x 1", "Conv2d(240, 60, 1, groups=3)", (240, 28, 28)),
    ],
    ("Xception", "Chollet: Xception, deep learning with depthwise separable convolutions, 2017"): [
        ("middle depthwise", "Conv2d(728, 728, 3, padding=1, groups=728)", (728, 19, 19)),
    ],
    ("ConvNeXt-T", "Liu et al.: A ConvNet for the 2020s, 2022"): [
        ("first", "Conv2d(3, 96, 4, stride=4)", (3, 224, 224)),
        ("depthwise 7 x 7", "Conv2d(96, 96, 7, padding=3, groups=96)", (96, 56, 56)),
        ("strided", "Conv2d(96, 192, 2, stride=2)", (96, 56, 56)),
        ("deepest depthwise", "Conv2d(768, 768, 7, padding=3, groups=768)", (768, 7, 7)),
        ("widest", "Conv2d(768, 3072, 1)", (768, 7, 7)),
    ],
    ("EfficientNet-B0", "Tan, Le: EfficientNet, rethinking model scaling for CNNs, 2019"): [
        ("strided depthwise 5 x 5", "Conv2d(144, 144, 5, stride=2, padding=2, groups=144)", (144, 56, 56)),
        ("depthwise 5 x 5", "Conv2d(672, 672, 5, padding=2, groups=672)", (672, 14, 14)),
        ("squeeze", "Conv2d(1152, 48, 1)", (1152, 1, 1)),
    ],
    ("DenseNet-121", "Huang, Liu, van der Maaten, Weinberger: Densely connected CNNs, 2017"): [
        ("first block", "Conv2d(64, 128, 1)", (64, 56, 56)),
        ("growth", "Conv2d(128, 32, 3, padding=1)", (128, 56, 56)),
        ("transition", "Conv2d(512, 256, 1)", (512, 28, 28)),
        ("deepest", "Conv2d(128, 32, 3, padding=1)", (128, 7, 7)),
    ],
    ("SqueezeNet", "Iandola et al.: SqueezeNet, AlexNet-level accuracy with 50x fewer parameters, 2016"): [
        ("first", "Conv2d(3, 96, 7, stride=2)", (3, 224, 224)),
        ("squeeze", "Conv2d(96, 16, 1)", (96, 54, 54)),
        ("expansion", "Conv2d(16, 64, 3, padding=1)", (16, 54, 54)),
        ("widest", "Conv2d(512, 1000, 1)", (512, 13, 13)),
    ],
    ("DCGAN", "Radford, Metz, Chintala: Unsupervised representation learning with deep convolutional GANs, 2016"): [
        ("first transposed", "ConvTranspose2d(100, 512, 4)", (100, 1, 1)),
        ("widest transposed", "ConvTranspose2d(512, 256, 4, stride=2, padding=1)", (512, 4, 4)),
        ("last transposed", "ConvTranspose2d(64, 3, 4, stride=2, padding=1)", (64, 32, 32)),
        ("first of the critic", "Conv2d(3, 64, 4, stride=2, padding=1)", (3, 64, 64)),
        ("widest of the critic", "Conv2d(256, 512, 4, stride=2, padding=1)", (256, 8, 8)),
        ("last of the critic", "Conv2d(512, 1, 4)", (512, 4, 4)),
    ],
    ("U-Net", "Ronneberger, Fischer, Brox: U-Net, CNNs for biomedical image segmentation, 2015"): [
        ("first", "Conv2d(1, 64, 3)", (1, 572, 572)),
        ("widest", "Conv2d(512, 1024, 3)", (512, 32, 32)),
        ("first transposed", "ConvTranspose2d(1024, 512, 2, stride=2)", (1024, 28, 28)),
        ("last transposed", "ConvTranspose2d(128, 64, 2, stride=2)", (128, 196, 196)),
        ("deepest", "Conv2d(64, 2, 1)", (64, 388, 388)),
    ],
    ("FCN-8s", "Long, Shelhamer, Darrell: Fully convolutional networks for semantic segmentation, 2015"): [
        ("widest", "Conv2d(4096, 4096, 1)", (4096, 16, 16)),
        ("score", "Conv2d(512, 21, 1)", (512, 34, 34)),
        ("first transposed", "ConvTranspose2d(21, 21, 4, stride=2, bias=False)", (21, 16, 16)),
        ("last transposed", "ConvTranspose2d(21, 21, 16, stride=8, bias=False)", (21, 70, 70)),
    ],
    ("DeepLabv3", "Chen, Papandreou, Schroff, Adam: Rethinking atrous convolution, 2017"): [
        ("dilation 2", "Conv2d(256, 256, 3, padding=2, dilation=2)", (256, 28, 28)),
        ("dilation 4", "Conv2d(512, 512, 3, padding=4, dilation=4)", (512, 28, 28)),
    ],
    ("Context module", "Yu, Koltun: Multi-scale context aggregation by dilated convolutions, 2016"): [
        ("dilation 8", "Conv2d(21, 21, 3, padding=8, dilation=8)", (21, 64, 64)),
    ],
    ("SPP-net", "He, Zhang, Ren, Sun: Spatial pyramid pooling in deep CNNs, 2014"): [
        ("pooling to 1 x 1", "MaxPool2d(13)", (256, 13, 13)),
        ("pooling to 2 x 2", "MaxPool2d(7, stride=6)", (256, 13, 13)),
        ("pooling to 3 x 3", "MaxPool2d(5, stride=4)", (256, 13, 13)),
    ],
    ("YOLOv4", "Bochkovskiy, Wang, Liao: YOLOv4, optimal speed and accuracy of object detection, 2020"): [
        ("pooling 5 x 5", "MaxPool2d(5, stride=1, padding=2)", (512, 13, 13)),
        ("pooling 13 x 13", "MaxPool2d(13, stride=1, padding=6)", (512, 13, 13)),
    ],
}

ZOO = [Member(*network, *layer) for network, layers in NETWORKS.items() for layer in layers]
