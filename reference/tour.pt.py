# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Um tour pelo minicnn
#
# O notebook de um curso apresenta as redes convolucionais com o torch: convolução, max
# pooling, convolução transposta, ReLU, camadas lineares; depois uma rede pequena, que
# aprende dígitos escritos à mão, e dois exercícios. Este tour passa pelas mesmas seções, na
# mesma ordem. A cada célula de torch segue a célula de minicnn que faz o mesmo, e cada par
# termina em uma verificação: ela mostra quanto os dois resultados diferem, e o notebook para
# se a diferença for grande demais.
#
# No caminho, ele acrescenta o que uma introdução dessas precisa deixar de fora: a fórmula
# completa dos tamanhos, o que `backward` faz, onde estão os parâmetros e as contas, e alguns
# enganos comuns.
#
# | seção | o que você sabe explicar depois |
# |---|---|
# | 1 Convolução | tamanhos da saída, pixels que ninguém vê, os dois gradientes, im2col |
# | 2 Max pooling | quem recebe o gradiente; o que o pooling não faz |
# | 3 Convolução transposta | por que ela é um gradiente e não uma inversa; `output_padding` |
# | 4 ReLU e 5 Linear | para que serve a dobra; um gradiente como produto de matrizes |
# | 6 SimpleCNN | onde estão os parâmetros e as contas, a perda, o treino, os resultados |
# | 7 Ímpar ou par | um neurônio com sigmoide, e uma acurácia que nunca se mexe |
# | 8 Um gerador | de (N, latent_dim) a (N, 3, 100, 100) |
# | 9 A sua própria camada | umas dez linhas, verificadas e treinadas |
#
# Você precisa do minicnn com o torch, e de alguns minutos. Em um clone:
# `pip install -e '.[tour]'`, depois `jupyter lab reference/tour.pt.ipynb`. No Colab: abra este
# notebook e rode, em uma célula acima dele, `!git clone -q ADDRESS minicnn && pip install -q
# ./minicnn`, com o endereço do repositório.
#
# O código, e o que ele escreve, é o do tour em inglês, célula por célula.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

import minicnn
from minicnn.kernels.numpy_textbook.convolution import im2col

# The course's network in torch: simple_cnn.py, beside this notebook or in a clone below.
for folder in (Path(), *Path().glob("reference"), *Path().glob("*/reference")):
    sys.path.append(str(folder.resolve()))
from simple_cnn import SimpleCNN as TorchSimpleCNN
from simple_cnn import load_images

torch.set_num_threads(2)
plt.rcParams.update({"figure.dpi": 80, "font.size": 10, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# Duas funções auxiliares. `agree` compara dois arrays e mede a maior diferença entre eles, em
# unidades do maior elemento; o que ela escreve é esse número, arredondado para cima até uma
# potência de dez. `must` faz uma afirmação e para se ela não for verdade.


# %%
def agree(what, ours, theirs, allowed=1e-5):
    """Print how far two results are apart, and fail if it is more than allowed."""
    ours, theirs = np.asarray(ours), torch.as_tensor(theirs).detach().numpy()
    if (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
        raise AssertionError(f"{what}: {ours.shape} {ours.dtype} against {theirs.shape} {theirs.dtype}")
    if np.array_equal(ours, theirs):
        return print(f"{what}: equal")
    gap = np.abs(ours.astype(float) - theirs).max() / np.abs(theirs).max()
    if not gap <= allowed:  # said like this, it catches NaN too
        raise AssertionError(f"{what}: they differ by {gap:.1e}, allowed is {allowed:.0e}")
    return print(f"{what}: largest difference below {10.0 ** np.ceil(np.log10(gap)):.0e}, allowed {allowed:.0e}")


def must(claim, holds):
    """State a claim, and fail if it does not hold."""
    if not holds:
        raise AssertionError(f"It does not hold that {claim}")
    print(f"It holds that {claim}")


# %% [markdown]
# ## 1 Convolução
#
# Uma janelinha de pesos desliza sobre a imagem. Em cada lugar, os números sob ela são
# multiplicados pelos pesos e somados:
#
# $$\text{output}[i, j] = \sum_{k_h, k_w} \text{weight}[k_h, k_w] \cdot \text{input}[i +
# k_h,\ j + k_w]$$
#
# Com inteiros pequenos, a conta pode ser feita à mão. No exemplo, a saída no canto superior
# esquerdo é $1 \cdot 1 + 2 \cdot (-1) + 3 \cdot 2 + 1 \cdot 3 = 8$.

# %%
# torch
image = [[1, 2, 0], [3, 1, 4], [0, 2, 5]]
kernel = [[1, -1], [2, 3]]
x, weight = torch.tensor([[image]]), torch.tensor([[kernel]])  # (N, C, H, W) and (O, C, KH, KW)
theirs = torch.nn.functional.conv2d(x, weight)
print(theirs[0, 0])

# %%
# minicnn
x, weight = np.array([[image]]), np.array([[kernel]])
ours = minicnn.nn.functional.conv2d(x, weight)
print(ours[0, 0])
agree("output", ours, theirs)

# %% [markdown]
# **É uma correlação cruzada.** O que os matemáticos chamam de convolução vira o kernel antes.
# `np.convolve` vira, `conv2d` não. Como os pesos são aprendidos, tanto faz para uma rede: ela
# aprenderia o kernel virado. Isso importa quando você escreve um kernel à mão.

# %%
# torch
row, taps = [1, 2, 3, 4], [1, 10]
theirs = torch.nn.functional.conv1d(torch.tensor([[row]]), torch.tensor([[taps]]))
print("conv1d     ", theirs.flatten().tolist())
print("np.convolve", np.convolve(row, taps, mode="valid").tolist())

# %%
# minicnn
ours = minicnn.nn.functional.conv2d(np.array([[[row]]]), np.array([[[taps]]]))
agree("conv2d of one row", ours[0, 0, 0], theirs[0, 0])
turned = minicnn.nn.functional.conv2d(np.array([[[row]]]), np.array([[[taps[::-1]]]]))
agree("with the kernel turned round, np.convolve", turned[0, 0, 0], np.convolve(row, taps, mode="valid"))

# %% [markdown]
# Kernels escritos à mão acham bordas. O primeiro responde onde o brilho muda da esquerda para
# a direita; o segundo, de cima para baixo; o terceiro calcula a média.

# %%
# torch
hand_made = [[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [[1 / 9] * 3] * 3]
seven = load_images(train=False, size=1)[0]  # the first test image, (1, 1, 28, 28)
theirs = torch.nn.functional.conv2d(seven, torch.tensor(hand_made)[:, None], padding=1)

# %%
# minicnn
digit = minicnn.data.MNIST(train=False).batch([0])[0]
ours = minicnn.nn.functional.conv2d(digit, np.array(hand_made, np.float32)[:, None], padding=1)
agree("three filtered images", ours, theirs)

figure, grid = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained")
for axes, title, picture in zip(
    grid, ["the image", "left to right", "top to bottom", "average"], [digit[0, 0], *ours[0]], strict=True
):
    axes.imshow(picture, cmap="gray", vmin=-4 if "to" in title else 0, vmax=4 if "to" in title else 1)
    axes.set_title(title)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# ### A camada
#
# `Conv2d` é dona dos seus pesos. Com vários canais de entrada, a janela é tão funda quanto a
# entrada, e um filtro soma sobre ela toda; cada filtro faz um canal de saída. Os nomes, os
# argumentos e os pesos iniciais são os mesmos: com a mesma semente, as duas bibliotecas
# sorteiam os mesmos números, bit a bit.

# %%
# torch
torch.manual_seed(0)
their_layer = torch.nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
batch = np.random.default_rng(0).standard_normal((4, 3, 15, 15)).astype(np.float32)
theirs = their_layer(torch.tensor(batch))
print(their_layer, tuple(theirs.shape))

# %%
# minicnn
minicnn.manual_seed(0)
our_layer = minicnn.nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
ours = our_layer(batch)
print(our_layer, ours.shape)
agree("initial weights", our_layer.weight.data, their_layer.weight)
agree("initial biases", our_layer.bias.data, their_layer.bias)
agree("output", ours, theirs)

# %% [markdown]
# ### Qual é o tamanho da saída?
#
# As introduções costumam dar $(H - K + 2P) / S + 1$. Faltam duas coisas. Com dilatação $D$, a
# janela cobre $D (K - 1) + 1$ pixels, e não $K$. E a divisão não precisa ser exata: nesse
# caso, arredonda-se para baixo.
#
# $$OH = \left\lfloor \frac{H + 2P - D\,(K - 1) - 1}{S} \right\rfloor + 1$$

# %%
# torch
settings = [(28, 5, 1, 2, 1), (28, 2, 2, 0, 1), (28, 3, 2, 0, 1), (28, 3, 2, 1, 1), (28, 3, 1, 0, 2), (28, 5, 3, 2, 2)]
theirs = []
for H, K, S, P, D in settings:
    layer = torch.nn.Conv2d(1, 1, K, stride=S, padding=P, dilation=D)
    theirs.append(layer(torch.zeros(1, 1, H, H)).shape[-1])

# %%
# minicnn
ours, by_formula = [], []
print("  H  K  S  P  D    short   full   torch  minicnn")
for (H, K, S, P, D), torchs_size in zip(settings, theirs, strict=True):
    layer = minicnn.nn.Conv2d(1, 1, K, stride=S, padding=P, dilation=D)
    ours.append(layer(np.zeros((1, 1, H, H), np.float32)).shape[-1])
    by_formula.append((H + 2 * P - D * (K - 1) - 1) // S + 1)
    short = (H - K + 2 * P) / S + 1
    print(f"{H:3}{K:3}{S:3}{P:3}{D:3} {short:8.2f} {by_formula[-1]:6} {torchs_size:7} {ours[-1]:8}")
must("the full formula gives every size", ours == theirs == by_formula)

# %% [markdown]
# Arredondar para baixo tem uma consequência: alguns pixels não são vistos por nenhuma janela.
# Aqui, uma janela de 3 anda de 2 em 2 sobre 6 colunas. Ela cabe duas vezes, e sobram a última
# coluna e a última linha. O gradiente mostra isso. Ele diz quanto a soma de todas as saídas
# muda com cada pixel: os pixels da beirada recebem 0.

# %%
# torch
x = torch.zeros(1, 1, 6, 6, requires_grad=True)
torch.nn.functional.conv2d(x, torch.ones(1, 1, 3, 3), stride=2).sum().backward()
theirs = x.grad

# %%
# minicnn
x, ones = np.zeros((1, 1, 6, 6), np.float32), np.ones((1, 1, 3, 3), np.float32)
grad_output = np.ones((1, 1, 2, 2), np.float32)  # the sum of all outputs changes by 1 with each of them
ours = minicnn.nn.functional.conv2d_backward(grad_output, x, ones, stride=2)[0]
print(ours[0, 0].astype(int))
agree("gradient to the input", ours, theirs)

# %% [markdown]
# Uma janela que não cabe é um erro, e a mensagem faz a conta para você:

# %%
try:
    minicnn.nn.Conv2d(1, 1, kernel_size=5, dilation=2)(np.zeros((1, 1, 8, 8), np.float32))
except RuntimeError as error:
    print(error)

# %% [markdown]
# ### O que backward faz
#
# O treino precisa saber como a perda $L$ muda com cada peso. `backward` recebe o gradiente em
# relação à saída, $g[i, j] = \partial L / \partial\, \text{output}[i, j]$, e o passa adiante.
# A pergunta é sempre a mesma: **que saídas este número toca, e com que fator?** Somam-se os
# gradientes delas, cada um vezes o seu fator.
#
# * Um peso toca todas as saídas; o fator é a entrada que estava sob ele.
# * Um pixel de entrada toca as saídas cuja janela o cobre; o fator é o peso que estava sobre
#   ele.
# * O viés toca todas as saídas, com fator 1.
#
# Tome a imagem e o kernel de antes, e um gradiente $g$ qualquer:
#
# $$\text{input} = \begin{pmatrix}1&2&0\\3&1&4\\0&2&5\end{pmatrix}\quad
# \text{weight} = \begin{pmatrix}1&-1\\2&3\end{pmatrix}\quad
# g = \begin{pmatrix}1&2\\3&-1\end{pmatrix}$$
#
# O peso do canto superior esquerdo passa pelos pixels 1, 2, 3, 1, nessa ordem. O seu gradiente
# é, portanto, $1 \cdot 1 + 2 \cdot 2 + 3 \cdot 3 - 1 \cdot 1 = 13$. O pixel do meio é visto
# pelas quatro janelas, sob os pesos 3, 2, -1, 1. O seu gradiente é, portanto, $1 \cdot 3 + 2
# \cdot 2 + 3 \cdot (-1) - 1 \cdot 1 = 3$. Para fazer todos de uma vez, percorra os produtos na
# ordem em que forward os faz:

# %%
image, kernel, g = np.array(image, float), np.array(kernel, float), np.array([[1.0, 2.0], [3.0, -1.0]])

grad_image, grad_kernel, grad_bias = np.zeros((3, 3)), np.zeros((2, 2)), 0.0
for i, j in np.ndindex(2, 2):  # forward: output[i, j] = bias + the sum over kh and kw of ...
    grad_bias += g[i, j]
    for kh, kw in np.ndindex(2, 2):  # ... kernel[kh, kw] * image[i + kh, j + kw]
        grad_kernel[kh, kw] += g[i, j] * image[i + kh, j + kw]
        grad_image[i + kh, j + kw] += g[i, j] * kernel[kh, kw]

print("to the weights\n", grad_kernel)
print("to the input\n", grad_image)
print("to the bias\n", grad_bias)
must("the two sums done by hand are right", grad_kernel[0, 0] == 13 and grad_image[1, 1] == 3)

# %%
# torch
x, weight = (torch.tensor(a[None, None], requires_grad=True) for a in (image, kernel))
bias = torch.zeros(1, dtype=torch.float64, requires_grad=True)
torch.nn.functional.conv2d(x, weight, bias).backward(torch.tensor(g[None, None]))

# %%
# minicnn
gradients = minicnn.nn.functional.conv2d_backward(g[None, None], image[None, None], kernel[None, None])
for name, ours, by_hand, tensor in zip(
    ["input", "weight", "bias"], gradients, [grad_image, grad_kernel, grad_bias], [x, weight, bias], strict=True
):
    agree(f"gradient to the {name}, minicnn and autograd", ours, tensor.grad)
    agree(f"gradient to the {name}, by hand and autograd", np.reshape(by_hand, tensor.shape), tensor.grad)

# %% [markdown]
# O torch registra cada operação durante forward e deduz os gradientes do registro. O minicnn
# não tem essa fita: cada camada guarda em `forward` aquilo de que vai precisar, e `backward`
# está logo abaixo no código. A camada maior, de antes, com um gradiente sorteado:

# %%
# torch
x = torch.tensor(batch, requires_grad=True)
theirs = their_layer(x)
grad_output = np.random.default_rng(1).standard_normal(tuple(theirs.shape)).astype(np.float32)
theirs.backward(torch.tensor(grad_output))

# %%
# minicnn
our_layer(batch)
grad_input = our_layer.backward(grad_output)
agree("gradient to the input", grad_input, x.grad)
agree("gradient to the weights", our_layer.weight.grad, their_layer.weight.grad)
agree("gradient to the biases", our_layer.bias.grad, their_layer.bias.grad)

# %% [markdown]
# ### A convolução como um único produto de matrizes: im2col
#
# Escreva os pixels sob cada janela como uma coluna. Lado a lado, as colunas formam uma matriz,
# e a convolução é um produto de matrizes: o kernel, como linha, vezes as colunas. Os números
# são copiados (um pixel visto por quatro janelas está em quatro colunas), mas produtos de
# matrizes são o que os computadores fazem melhor.
#
# Os gradientes seguem da regra do produto: $\text{rows}^T g$ volta para as colunas, e cada
# número é somado ao pixel de onde foi copiado. Esse é, quase linha por linha, o conjunto de
# kernels do livro-texto no minicnn.

# %%
# torch
theirs = torch.nn.functional.unfold(torch.tensor(image[None, None]), kernel_size=2)
print(theirs[0])

# %%
# minicnn
geometry = minicnn.geometry.conv2d((1, 1, 3, 3), (1, 1, 2, 2))  # input and weight shapes; sizes, checked
cols = im2col(image[None, None], geometry)  # (N, C KH KW, OH OW)
agree("patch matrix", cols, theirs)
print("kernel as a row", kernel.reshape(1, -1), "times the columns", kernel.reshape(1, -1) @ cols[0])
output = minicnn.nn.functional.conv2d(image[None, None], kernel[None, None])
must("the product is the convolution", np.array_equal(kernel.reshape(1, -1) @ cols[0], output.reshape(1, -1)))

# %% [markdown]
# ## 2 Max pooling
#
# O maior número sob cada janela, em cada canal por si. A fórmula do tamanho é a da convolução.
# Na volta: uma saída é uma cópia do elemento que venceu; por isso esse elemento recebe o
# gradiente inteiro, e os outros não recebem nada.

# %%
# torch
plane = np.array([[1, 5, 2, 0], [3, 4, 8, 8], [7, 0, 1, 1], [2, 6, 3, 9]], np.float32)
x = torch.tensor(plane[None, None], requires_grad=True)
theirs = torch.nn.MaxPool2d(2)(x)
theirs.backward(torch.tensor([[[[10.0, 20.0], [30.0, 40.0]]]]))

# %%
# minicnn
pool = minicnn.nn.MaxPool2d(2)
ours = pool(plane[None, None])
grad_input = pool.backward(np.array([[[[10, 20], [30, 40]]]], np.float32))
print("output\n", ours[0, 0].astype(int))
print("gradient to the input (of the two 8s the first one wins)\n", grad_input[0, 0].astype(int))
agree("output", ours, theirs)
agree("gradient to the input", grad_input, x.grad)

# %% [markdown]
# **"O pooling reduz os parâmetros."** Uma camada de pooling não tem nenhum, e as convoluções em
# volta ficam com os seus: um kernel 5x5 é um kernel 5x5 em uma imagem de qualquer tamanho. O
# que encolhe é a imagem, e com ela a *próxima camada linear*, cujos pesos se contam em pixels.
# Conte-os para a rede da seção 6:

# %%
# torch
theirs = [sum(p.numel() for p in torch.nn.Linear(32 * side**2, 128).parameters()) for side in (28, 14, 7)]

# %%
# minicnn
ours = [sum(p.size for p in minicnn.nn.Linear(32 * side**2, 128).parameters()) for side in (28, 14, 7)]
for name, count in zip(["without pooling", "pooled once", "pooled twice"], ours, strict=True):
    print(f"{name:16} the linear layer has {count:10,} parameters")
must("a pooling layer has no parameters", not list(pool.parameters()))
agree("counts", ours, theirs)

# %% [markdown]
# **"O pooling torna a rede invariante à translação."** Ele perdoa deslocamentos pequenos, às
# vezes. Mova um único pixel claro para a direita. Enquanto ele fica na sua janela, nada muda;
# quando passa para a seguinte, a saída se move também. A seção 6 mede o que dígitos deslocados
# causam na rede treinada.

# %%
# torch
dots = np.zeros((4, 1, 2, 8), np.float32)
dots[range(4), 0, 0, range(4)] = 1  # image s: the bright pixel in column s
theirs = torch.nn.MaxPool2d(2)(torch.tensor(dots))

# %%
# minicnn
ours = minicnn.nn.MaxPool2d(2)(dots)
for shift in range(4):
    print(f"pixel in column {shift}: pooled {ours[shift, 0, 0].astype(int)}")
agree("pooled", ours, theirs)
must(
    "a shift from column 0 to 1 is forgiven, one from 1 to 2 is not",
    (ours[0] == ours[1]).all() and (ours[1] != ours[2]).any(),
)

# %% [markdown]
# ## 3 Convolução transposta
#
# Agora as setas se invertem. Cada pixel da entrada carimba na saída o kernel, vezes o seu
# valor; carimbos que se sobrepõem se somam. O exemplo do curso, com inteiros:
#
# $$0 \cdot \begin{pmatrix}0&1\\2&3\end{pmatrix},\quad 1 \cdot
# \begin{pmatrix}0&1\\2&3\end{pmatrix},\quad 2 \cdot
# \begin{pmatrix}0&1\\2&3\end{pmatrix},\quad 3 \cdot
# \begin{pmatrix}0&1\\2&3\end{pmatrix}$$
#
# são postos em cima à esquerda, em cima à direita, embaixo à esquerda, embaixo à direita. O
# meio junta $0 \cdot 3 + 1 \cdot 2 + 2 \cdot 1 + 3 \cdot 0 = 4$.

# %%
# torch
x = torch.tensor([[[[0, 1], [2, 3]]]])
theirs = torch.nn.functional.conv_transpose2d(x, x)
print(theirs)

# %%
# minicnn
x = np.array([[[[0, 1], [2, 3]]]])
ours = minicnn.nn.functional.conv_transpose2d(x, x)
print(ours)
agree("the course's example", ours, theirs)

stamped = np.zeros((3, 3), int)
for i, j in np.ndindex(2, 2):
    stamped[i : i + 2, j : j + 2] += x[0, 0, i, j] * x[0, 0]
must("stamping by hand gives the same", np.array_equal(stamped, ours[0, 0]))

# %% [markdown]
# ### Ela é o gradiente da convolução
#
# Carimbar é o que a seção 1 fez para achar o gradiente em relação à entrada: `grad_image[i +
# kh, j + kw] += g[i, j] * kernel[kh, kw]`. A ida da convolução transposta *é*, portanto, a
# volta da convolução. Em matrizes: a convolução é linear na imagem, e por isso existe uma
# matriz $M$ com $\text{output} = M \cdot \text{input}$. O seu gradiente multiplica por $M^T$,
# e a convolução transposta também; daí o nome.

# %%
# torch
large = torch.zeros(1, 1, 3, 3, requires_grad=True, dtype=torch.float64)  # its values do not matter
weight = torch.tensor(kernel[None, None])
torch.nn.functional.conv2d(large, weight).backward(torch.tensor(g[None, None]))
theirs = torch.nn.functional.conv_transpose2d(torch.tensor(g[None, None]), weight)
print("torch's convolution, backward, gives its transposed convolution:", torch.equal(large.grad, theirs))

# %%
# minicnn
ours = minicnn.nn.functional.conv_transpose2d(g[None, None], kernel[None, None])
agree("transposed convolution", ours, theirs)
agree("convolution, backward", ours, large.grad)

units = np.eye(9).reshape(9, 1, 3, 3)  # nine images with one bright pixel each
M = minicnn.nn.functional.conv2d(units, kernel[None, None]).reshape(9, 4).T
print("M\n", M)
must("transposed convolution multiplies by M transposed", np.array_equal(M.T @ g.ravel(), ours.ravel()))

# %% [markdown]
# ### Ela não é a inversa
#
# Há quem a chame de deconvolução, o que promete demais. A convolução transposta devolve o
# *formato* da entrada da convolução, não os valores: nove pixels viraram quatro números, e
# nenhuma regra tira nove números de quatro.

# %%
# torch
small = torch.nn.functional.conv2d(torch.tensor(image[None, None]), weight)
theirs = torch.nn.functional.conv_transpose2d(small, weight)

# %%
# minicnn
small = minicnn.nn.functional.conv2d(image[None, None], kernel[None, None])
ours = minicnn.nn.functional.conv_transpose2d(small, kernel[None, None])
print("the image\n", image)
print("there and back\n", ours[0, 0])
agree("there and back", ours, theirs)
must("the shape came back and the image did not", ours[0, 0].shape == image.shape and (ours[0, 0] != image).any())

# %% [markdown]
# ### Tamanhos, e para que serve `output_padding`
#
# Resolva a fórmula da convolução para a entrada:
#
# $$OH = (H - 1)\,S - 2P + D\,(K - 1) + 1 + \text{output\_padding}$$
#
# O último termo está ali por causa do arredondamento para baixo. Com kernel 3, stride 2 e
# padding 1, uma convolução leva 49 pixels a 25, e 50 pixels também a 25. No caminho de volta,
# alguém precisa dizer qual dos dois se quer: `output_padding=0` quer dizer 49,
# `output_padding=1` quer dizer 50. Apesar do nome, ele não preenche nada com zeros; ele calcula
# uma linha e uma coluna a mais.
#
# Assim, 13 pixels podem virar 100: $13 \to 25 \to 50 \to 100$. A seção 8 constrói um gerador
# desse jeito.

# %%
# torch
steps = [(13, 0), (25, 1), (50, 1)]  # (size, output_padding)
theirs = []
for size, extra in steps:
    up = torch.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=extra)
    theirs.append(up(torch.zeros(1, 1, size, size)).shape[-1])

# %%
# minicnn
ours = []
for size, extra in steps:
    up = minicnn.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=extra)
    ours.append(up(np.zeros((1, 1, size, size), np.float32)).shape[-1])
    print(f"({size} - 1) * 2 - 2 * 1 + 1 * (3 - 1) + 1 + {extra} = {ours[-1]}")
agree("sizes", ours, theirs)
must("they lead from 13 to 100", ours == [25, 50, 100])
try:
    minicnn.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=2)
except ValueError as error:
    print(error)

# %% [markdown]
# **Xadrez.** Conte os carimbos que cada pixel da saída recebe, carimbando uns. Com kernel 3 e
# stride 2, as contagens se alternam, e imagens feitas assim tendem a mostrar um xadrez fino.
# Quando o stride divide o tamanho do kernel, como 2 divide 4, as contagens são iguais longe da
# beirada.

# %%
# torch
theirs = [
    torch.nn.functional.conv_transpose2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, K, K), stride=2) for K in (3, 4)
]

# %%
# minicnn
for K, counts in zip((3, 4), theirs, strict=True):
    one = np.ones((1, 1, 4, 4), np.float32)
    ours = minicnn.nn.functional.conv_transpose2d(one, np.ones((1, 1, K, K), np.float32), stride=2)
    print(f"kernel {K}, stride 2\n", ours[0, 0].astype(int))
    agree("counts", ours, counts)

# %% [markdown]
# ## 4 ReLU
#
# $\max(x, 0)$: os números positivos passam, os negativos viram 0. A inclinação é 1 onde o
# número passou e 0 no resto. Exatamente em 0 não há inclinação; todos usam 0.

# %%
# torch
values = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
x = torch.tensor(values, requires_grad=True)
theirs = torch.nn.ReLU()(x)
theirs.backward(torch.full((5,), 10.0, dtype=torch.float64))

# %%
# minicnn
relu = minicnn.nn.ReLU()
ours = relu(values)
grad_input = relu.backward(np.full(5, 10.0))
print("input   ", values)
print("output  ", ours)
print("gradient", grad_input)
agree("output", ours, theirs)
agree("gradient to the input", grad_input, x.grad)

# %% [markdown]
# Para que serve a dobra? Duas camadas lineares sem uma dobra entre elas são uma só camada
# linear: $W_2 (W_1 x) = (W_2 W_1)\, x$. A profundidade não traria nada. O mesmo vale para duas
# convoluções.

# %%
rng = np.random.default_rng(0)
W1, W2, v = rng.integers(-3, 4, (4, 3)), rng.integers(-3, 4, (2, 4)), rng.integers(-3, 4, 3)
must("two linear layers are one", np.array_equal(W2 @ (W1 @ v), (W2 @ W1) @ v))
must("with a ReLU between them they are not", not np.array_equal(W2 @ np.maximum(W1 @ v, 0), (W2 @ W1) @ v))

# %% [markdown]
# ## 5 Linear
#
# Cada saída é uma soma ponderada de todas as entradas: $y = x W^T + b$, com pesos de formato
# (saídas, entradas). A volta é de novo a pergunta da seção 1, e as respostas são produtos de
# matrizes: $\partial L / \partial W = g^T x$, $\ \partial L / \partial x = g\, W$, $\ \partial
# L / \partial b$ = a soma de $g$ no lote.

# %%
# torch
inputs, g2 = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 4.0]]), np.array([[1.0, 2.0], [3.0, -1.0]])
W, b = np.array([[1.0, 0.0, -1.0], [2.0, 1.0, 1.0]]), np.array([10.0, 20.0])
x, weight, bias = (torch.tensor(a, requires_grad=True) for a in (inputs, W, b))
theirs = torch.nn.functional.linear(x, weight, bias)
theirs.backward(torch.tensor(g2))

# %%
# minicnn
ours = minicnn.nn.functional.linear(inputs, W, b)
print("output\n", ours)
agree("output", ours, theirs)
gradients = minicnn.nn.functional.linear_backward(g2, inputs, W)
for name, ours, by_hand, tensor in zip(
    ["input", "weight", "bias"], gradients, [g2 @ W, g2.T @ inputs, g2.sum(axis=0)], [x, weight, bias], strict=True
):
    agree(f"gradient to the {name}, minicnn and autograd", ours, tensor.grad)
    agree(f"gradient to the {name}, by hand and autograd", by_hand, tensor.grad)

# %% [markdown]
# ## 6 SimpleCNN
#
# A rede do curso: duas rodadas de convolução, ReLU e pooling, depois duas camadas lineares. Ela
# aprende com as primeiras 5.000 imagens do MNIST e é validada nas primeiras 1.000 do conjunto
# de teste. Primeiro os dados: as duas bibliotecas leem os mesmos arquivos, cada uma com o seu
# código.

# %%
# torch
train_images, train_labels = load_images(train=True, size=5000)
val_images, val_labels = load_images(train=False, size=1000)
torch_train = DataLoader(TensorDataset(train_images, train_labels), batch_size=64)
torch_val = DataLoader(TensorDataset(val_images, val_labels), batch_size=64)

# %%
# minicnn
train_data, val_data = minicnn.data.MNIST(), minicnn.data.MNIST(train=False)  # the bundled subset
our_train = minicnn.data.DataLoader(train_data, batch_size=64)
our_val = minicnn.data.DataLoader(val_data, batch_size=64)
agree("training images", train_data.batch(range(5000))[0], train_images)
agree("validation images", val_data.batch(range(1000))[0], val_images)
agree("training labels", train_data.labels, train_labels)
print("images of each class:", np.bincount(train_data.labels))
print("batches:", len(our_train), "of 64 images; the last one has", 5000 - 64 * (len(our_train) - 1))

figure, grid = plt.subplots(2, 10, figsize=(9, 2.2), layout="constrained")
for axes, picture, label in zip(grid.flat, train_data.images, train_data.labels, strict=False):
    axes.imshow(picture, cmap="gray_r")
    axes.set_title(label, fontsize=9, pad=2)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# Os lotes vêm na mesma ordem em todas as épocas: o curso não embaralha. As classes não são
# igualmente frequentes, e o último lote é menor; por isso a perda de uma época precisa pesar
# cada lote pelo seu tamanho.
#
# Agora as duas redes, com a mesma semente.

# %%
# torch
torch.manual_seed(0)
their_model = TorchSimpleCNN()

# %%
# minicnn
minicnn.manual_seed(0)
our_model = minicnn.models.SimpleCNN()
print(our_model)
theirs = dict(their_model.named_parameters())
must("the parameters have the same names", list(our_model.state_dict()) == list(theirs))
must(
    "the initial weights are equal, bit for bit",
    all(np.array_equal(ours, theirs[name].detach()) for name, ours in our_model.state_dict().items()),
)

# %% [markdown]
# ### Onde estão os parâmetros, e onde estão as contas?
#
# Não no mesmo lugar. Uma convolução usa cada um dos seus poucos pesos em todos os pixels; uma
# camada linear usa cada um dos seus muitos pesos uma vez. Uma multiplicação com a sua soma
# conta como uma multiplicação com soma:
#
# * convolução: $O \cdot OH \cdot OW \cdot C \cdot KH \cdot KW$ para cada imagem,
# * linear: entradas vezes saídas.

# %%
# torch
with FlopCounterMode(display=False) as counter:
    their_model(torch.zeros(1, 1, 28, 28))
theirs = counter.get_total_flops() // 2  # a multiplication and an addition are two of torch's operations
their_parameters = sum(p.numel() for p in their_model.parameters())

# %%
# minicnn
counts = {}
x = np.zeros((1, 1, 28, 28), np.float32)
for layer in [*our_model.cnn, our_model.flatten, *our_model.linear_block]:
    x = layer(x)
    parameters = sum(p.size for p in layer.parameters())
    if parameters:  # a weight is used once for each output pixel; OH OW = 1 in a linear layer
        name = f"{type(layer).__name__} {' -> '.join(map(str, layer.weight.shape[1::-1]))}"
        counts[name] = parameters, layer.weight.size * int(np.prod(x.shape[2:]))
all_parameters, all_products = np.sum(list(counts.values()), axis=0)
print(f"{'':20} {'parameters':>17} {'multiply-adds':>19}")
for name, (parameters, products) in counts.items():
    print(f"{name:20} {parameters:9,} {parameters / all_parameters:7.1%} {products:11,} {products / all_products:7.1%}")
print(f"{'together':20} {all_parameters:9,} {'':7} {all_products:11,}")
must("torch counts the same", (all_parameters, all_products) == (their_parameters, theirs))

figure, axes = plt.subplots(figsize=(8, 2.6), layout="constrained")
place = np.arange(len(counts))
shares = np.array(list(counts.values())) / [all_parameters, all_products]
for offset, column, label in ((-0.2, 0, "parameters"), (0.2, 1, "multiply-adds")):
    bars = axes.barh(place + offset, shares[:, column], height=0.38, label=label)
    axes.bar_label(bars, [f"{share:.0%}" if share >= 0.01 else "< 1%" for share in shares[:, column]], padding=3)
axes.set(yticks=place, yticklabels=list(counts), xlim=(0, 1.05), xticks=[])
axes.invert_yaxis()
axes.spines["bottom"].set_visible(False)
axes.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# Quase todos os parâmetros estão na primeira camada linear; a maior parte das contas está na
# segunda convolução. Um arquivo menor pede uma camada linear menor; um passo mais rápido pede
# uma convolução mais rápida. Como o tempo se divide na sua máquina, `python -m benchmarks`
# mede.
#
# ### A perda, e por que não há uma softmax antes dela
#
# A rede termina em dez números de qualquer tamanho, os logits. A softmax faz deles
# probabilidades, e a entropia cruzada é menos o logaritmo da probabilidade que a classe
# verdadeira $y$ recebeu:
#
# $$p_c = \frac{e^{x_c}}{\sum_k e^{x_k}},\qquad L = -\log p_y,\qquad \frac{\partial
# L}{\partial x_c} = p_c - [c = y]$$
#
# `CrossEntropyLoss` já contém a softmax. O gradiente não poderia ser mais simples: cada logit é
# empurrado para baixo pela probabilidade que recebeu, e o verdadeiro, para cima pelo que lhe
# falta.

# %%
# torch
logits = np.array([[2.0, 1.0, 0.0, -1.0], [0.0, 3.0, 0.0, 0.0]])
target = np.array([1, 1])
x = torch.tensor(logits, requires_grad=True)
theirs = torch.nn.CrossEntropyLoss()(x, torch.tensor(target))
theirs.backward()

# %%
# minicnn
criterion = minicnn.nn.CrossEntropyLoss()
ours = criterion(logits, target)
grad_logits = criterion.backward()
p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
agree("loss", ours, theirs, 1e-12)
agree("gradient", grad_logits, x.grad, 1e-12)
agree("by the formulas: loss", -np.log(p[[0, 1], target]).mean(), theirs, 1e-12)
agree("by the formulas: gradient", (p - np.eye(4)[target]) / 2, x.grad, 1e-12)  # / 2: the mean of two images

# %% [markdown]
# Uma camada softmax no fim da rede seria uma segunda softmax. A rede ainda aprende, e por isso
# o erro é difícil de ver. Os seus rastros: uma rede que tem certeza, e acerta, não consegue uma
# perda abaixo de $\log(e + 9) - 1$; uma rede que tem certeza, e erra, quase não recebe
# gradiente, justo quando mais tem a aprender.

# %%
# torch
certain = torch.zeros(1, 10)
certain[0, 3] = 20
cross_entropy = torch.nn.functional.cross_entropy
theirs = {}
print(f"{'loss':>51} {'largest gradient':>17}")
for truth, answer in ((3, "right"), (5, "wrong")):
    for squash, name in ((lambda x: x, "logits"), (lambda x: x.softmax(dim=1), "softmax layer first")):
        x = certain.clone().requires_grad_()
        loss = cross_entropy(squash(x), torch.tensor([truth]))
        loss.backward()
        theirs[answer, name] = loss.item(), x.grad
        print(f"certain and {answer}, {name:22} {loss.item():10.4f} {x.grad.abs().max().item():14.0e}")

# %%
# minicnn
for truth, answer in ((3, "right"), (5, "wrong")):
    ours = criterion(certain.numpy(), np.array([truth]))
    must(f"certain and {answer}: the loss is the same", abs(ours - theirs[answer, "logits"][0]) < 1e-6)
    agree(f"certain and {answer}: gradient", criterion.backward(), theirs[answer, "logits"][1])
must("the second softmax has a floor", abs(theirs["right", "softmax layer first"][0] - (np.log(np.e + 9) - 1)) < 1e-5)

# %% [markdown]
# ### Um passo
#
# Ida, perda, volta, atualização. A ordem das linhas é a mesma; só a linha com `backward` muda.
# A perda do torch acha o caminho de volta pela fita; no minicnn, o gradiente da perda é
# entregue ao modelo.

# %%
# torch
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(their_model.parameters(), lr=1e-3)
images, labels = next(iter(torch_train))
theirs = criterion(their_model(images), labels)
theirs.backward()
optimizer.step()

# %%
# minicnn
criterion = minicnn.nn.CrossEntropyLoss()
optimizer = minicnn.optim.Adam(our_model.parameters(), lr=1e-3)
images, labels = next(iter(our_train))
before = {name: value.copy() for name, value in our_model.state_dict().items()}
ours = criterion(our_model(images), labels)
our_model.backward(criterion.backward())
optimizer.step()
agree("loss", ours, theirs)
for (name, p), (_, q) in zip(our_model.named_parameters(), their_model.named_parameters(), strict=True):
    agree(f"gradient to {name}", p.grad, q.grad, 1e-4)
largest = max(np.abs(value - before[name]).max() for name, value in our_model.state_dict().items())
print(f"Adam's first step moves each weight by up to {largest:.4f}")
must("this is Adam's learning rate", np.isclose(largest, 1e-3, rtol=1e-3))

# %% [markdown]
# ### O treino
#
# Dez épocas, lotes de 64, Adam com taxa de aprendizado 0,001, mais uma vez da semente 0.
#
# **A acurácia "do treino" é medida enquanto os pesos mudam.** O curso soma os acertos lote por
# lote; assim, o número da primeira época contém os primeiros lotes, quando a rede não sabia
# nada. Por isso o número chega atrasado, e no começo a validação parece melhor que o treino.
# Para ver a diferença, os laços abaixo medem também as imagens de treino outra vez depois de
# cada época, com os pesos parados.


# %%
# torch
def torch_epoch(model, criterion, optimizer, batches, count_right, losses):
    model.train()
    total, right, seen = 0.0, 0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        total += loss.item() * len(labels)
        right += int(count_right(outputs, labels))
        seen += len(labels)
    return total / seen, right / seen


def torch_evaluate(model, criterion, batches, count_right):
    model.eval()
    total, right, seen = 0.0, 0, 0
    with torch.no_grad():
        for images, labels in batches:
            outputs = model(images)
            total += criterion(outputs, labels).item() * len(labels)
            right += int(count_right(outputs, labels))
            seen += len(labels)
    return total / seen, right / seen


def torch_train_for(epochs, model, criterion, train, val, count_right, lr=1e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses, history = [], []
    for _ in range(epochs):
        row = torch_epoch(model, criterion, optimizer, train, count_right, losses)
        row += torch_evaluate(model, criterion, val, count_right)
        row += torch_evaluate(model, criterion, train, count_right)  # the weights at rest
        history.append(row)
    return np.array(losses), np.array(history)


def largest_logit(outputs, labels):
    return (outputs.argmax(1) == labels).sum()


torch.manual_seed(0)
their_model = TorchSimpleCNN()
criterion = torch.nn.CrossEntropyLoss()
their_losses, their_history = torch_train_for(10, their_model, criterion, torch_train, torch_val, largest_logit)


# %%
# minicnn
def minicnn_epoch(model, criterion, optimizer, batches, count_right, losses):
    model.train()
    total, right, seen = 0.0, 0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        model.backward(criterion.backward())
        optimizer.step()
        losses.append(float(loss))
        total += float(loss) * len(labels)
        right += int(count_right(outputs, labels))
        seen += len(labels)
    return total / seen, right / seen


def minicnn_evaluate(model, criterion, batches, count_right):
    model.eval()
    total, right, seen = 0.0, 0, 0
    for images, labels in batches:
        outputs = model(images)
        total += float(criterion(outputs, labels)) * len(labels)
        right += int(count_right(outputs, labels))
        seen += len(labels)
    return total / seen, right / seen


def minicnn_train_for(epochs, model, criterion, train, val, count_right, lr=1e-3):
    optimizer = minicnn.optim.Adam(model.parameters(), lr=lr)
    losses, history = [], []
    for _ in range(epochs):
        row = minicnn_epoch(model, criterion, optimizer, train, count_right, losses)
        row += minicnn_evaluate(model, criterion, val, count_right)
        row += minicnn_evaluate(model, criterion, train, count_right)  # the weights at rest
        history.append(row)
    return np.array(losses), np.array(history)


minicnn.manual_seed(0)
our_model = minicnn.models.SimpleCNN()
our_model.cnn[0].needs_input_grad = False  # below it are the pixels, which do not learn
criterion = minicnn.nn.CrossEntropyLoss()
our_losses, our_history = minicnn_train_for(10, our_model, criterion, our_train, our_val, largest_logit)

agree("losses of the first ten steps", our_losses[:10], their_losses[:10], 1e-5)


def show(theirs, ours):
    print("       training loss      training accuracy  validation loss    validation accuracy")
    print("epoch  torch    minicnn   torch    minicnn   torch    minicnn   torch    minicnn")
    for epoch, (their_row, our_row) in enumerate(zip(theirs, ours, strict=True), 1):
        pairs = "   ".join(f"{a:.4f}   {b:.4f} " for a, b in zip(their_row[:4], our_row[:4], strict=True))
        print(f"{epoch:5}  {pairs}")


show(their_history, our_history)
must(
    "both end above 94 % on the validation images, less than 2 points apart",
    min(their_history[-1, 3], our_history[-1, 3]) > 0.94 and abs(their_history[-1, 3] - our_history[-1, 3]) < 0.02,
)

# %% [markdown]
# Os primeiros passos coincidem em muitos dígitos. Depois os dois se afastam um pouco: as somas
# são feitas em outra ordem e arredondadas de outro jeito, e cada passo parte do anterior. Duas
# execuções do torch se afastam da mesma maneira quando usam números diferentes de threads (os
# resultados do minicnn não dependem disso). O que fica é a curva.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
epochs = np.arange(1, 11)
parts = (("training", "tab:blue"), ("validation", "tab:orange"), ("training, weights at rest", "tab:gray"))
for n, (label, colour) in enumerate(parts):
    for axes, column in ((left, 2 * n), (right, 2 * n + 1)):
        axes.plot(epochs, their_history[:, column], color=colour, linewidth=6, alpha=0.3)
        axes.plot(epochs, our_history[:, column], color=colour, linewidth=1.5, label=label)
figure.suptitle("broad lines: torch, thin lines: minicnn", fontsize=10)
left.set(title="Loss", xlabel="epoch", ylim=(0, None), xticks=epochs)
right.set(title="Accuracy", xlabel="epoch", xticks=epochs)
right.legend(frameon=False)
plt.show()
for name, history in (("torch", their_history), ("minicnn", our_history)):
    print(f"{name}, first epoch: {history[0, 1]:.4f} while the weights change, {history[0, 5]:.4f} measured after it")
    must("the figure lags behind", history[0, 5] > history[0, 1])

# %% [markdown]
# Depois da quarta época, mais ou menos, a perda na validação quase não cai, enquanto a do
# treino segue até perto de 0: a rede decora as suas 5.000 imagens. Mais imagens ajudam (`python
# -m minicnn.train --data FOLDER --train-size 60000`).
#
# ### O que a primeira camada aprendeu
#
# Os 16 filtros, todos na mesma escala de cinza. Vários são claros de um lado e escuros do
# outro: eles respondem a bordas, como os dois filtros que a seção 1 escreveu à mão. Não são tão
# limpos. O começo sorteado ainda aparece neles: o treino não precisou apagá-lo.

# %%
# torch
theirs = their_model.cnn[0].weight.detach().numpy()

# %%
# minicnn
ours = our_model.cnn[0].weight.data
grey = plt.get_cmap("gray").with_extremes(bad="lightsteelblue")
scale = {"cmap": grey, "vmin": min(ours.min(), theirs.min()), "vmax": max(ours.max(), theirs.max())}
figure, halves = plt.subplots(1, 2, figsize=(8.4, 3.8), layout="constrained")
for axes, name, weight in zip(halves, ("torch", "minicnn"), (theirs, ours), strict=True):
    framed = np.pad(
        weight[:, 0], ((0, 0), (1, 0), (1, 0)), constant_values=np.nan
    )  # (16, 6, 6), a line between filters
    tiled = framed.reshape(4, 4, 6, 6).swapaxes(1, 2).reshape(24, 24)
    picture = axes.imshow(np.pad(tiled, ((0, 1), (0, 1)), constant_values=np.nan), **scale)
    axes.set_title(name)
    axes.set_axis_off()
figure.colorbar(picture, ax=halves, label="weight", shrink=0.8)
plt.show()
alike = np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]
must("after 790 steps the two sets are still alike (correlation above 0.95)", alike > 0.95)
minicnn.manual_seed(0)
start = minicnn.models.SimpleCNN().cnn[0].weight.data
print(
    "correlation of minicnn's filters with their own random start:",
    f"{np.corrcoef(ours.ravel(), start.ravel())[0, 1]:.2f}",
)

# %% [markdown]
# ### O que a rede diz, e onde ela erra

# %%
# torch
their_model.eval()
with torch.no_grad():
    their_odds = their_model(val_images).softmax(dim=1).numpy()

# %%
# minicnn
our_model.eval()
logits = our_model(val_data.batch(range(1000))[0])
odds = np.exp(logits - logits.max(axis=1, keepdims=True))  # minus the largest: exp cannot overflow
our_odds = odds / odds.sum(axis=1, keepdims=True)
truth, says, torch_says = val_data.labels, our_odds.argmax(axis=1), their_odds.argmax(axis=1)
print("the first images  ", *truth[:24])
print("minicnn reads them", *says[:24])
print("torch reads them  ", *torch_says[:24])
same = (says == torch_says).mean()
must("both give the same answer for more than 95 % of the images", same > 0.95)

wrong = np.flatnonzero(says != truth)
worst = wrong[np.argsort(our_odds[wrong, truth[wrong]], kind="stable")][:12]
figure, grid = plt.subplots(2, 6, figsize=(9, 4), layout="constrained")
for axes in grid.flat:
    axes.set_axis_off()
for axes, n in zip(grid.flat, worst, strict=False):
    axes.imshow(val_data.images[n], cmap="gray_r")
    axes.set_title(
        f"is {truth[n]}, read as {says[n]} ({our_odds[n, says[n]]:.0%})\ntorch says {torch_says[n]}", fontsize=9
    )
figure.suptitle(f"The worst of minicnn's {len(wrong)} mistakes in 1,000 images")
plt.show()

# %% [markdown]
# ### Quanta translação é perdoada?
#
# A seção 2 deixou uma pergunta aberta. Desloque todas as imagens de validação para a direita e
# meça de novo. A última linha diz quanto da tinta ainda está na imagem: até 4 pixels, os
# dígitos estão praticamente completos, só que em outro lugar.


# %%
def shifted(pictures, s):
    """Moved s columns to the right; what comes in from the left is black."""
    moved = np.zeros_like(pictures)
    moved[..., s:] = pictures[..., : 28 - s]
    return moved


# %%
# torch
pictures = val_images.numpy()
with torch.no_grad():
    theirs = [
        (their_model(torch.tensor(shifted(pictures, s))).argmax(1) == val_labels).numpy().mean() for s in range(7)
    ]

# %%
# minicnn
ours = [(our_model(shifted(pictures, s)).argmax(1) == truth).mean() for s in range(7)]
print("shift in pixels ", *(f"{s:6}" for s in range(7)))
print("accuracy torch  ", *(f"{a:6.3f}" for a in theirs))
print("accuracy minicnn", *(f"{a:6.3f}" for a in ours))
ink = [shifted(pictures, s).sum() / pictures.sum() for s in range(7)]
print("ink             ", *(f"{share:6.3f}" for share in ink))
for accuracies in (theirs, ours):
    must("one pixel is forgiven, four pixels are not", accuracies[1] > 0.9 and accuracies[4] < 0.8)

# %% [markdown]
# ## 7 Exercício: ímpar ou par, com um neurônio e uma sigmoide
#
# Uma saída em vez de dez: a probabilidade $p$ de o dígito ser ímpar, dada por uma sigmoide. A
# perda é a entropia cruzada binária, $-y \log p - (1 - y) \log(1 - p)$. O alvo precisa ter o
# formato da saída, (N, 1), e ser float.
#
# As peças já existem, e por isso `Sequential` basta. Uma resposta está certa quando $p >
# \frac12$ e o dígito é ímpar, ou quando nenhuma das duas coisas vale.

# %%
# torch
torch.manual_seed(0)
their_parity = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),  # (N, 8, 14, 14)
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),  # (N, 8, 7, 7)
    torch.nn.Conv2d(8, 16, kernel_size=3, padding=1),  # (N, 16, 7, 7)
    torch.nn.ReLU(),
    torch.nn.Flatten(),  # (N, 784)
    torch.nn.Linear(784, 1),
    torch.nn.Sigmoid(),  # (N, 1)
)
odd_train = [(images, (labels % 2).float()[:, None]) for images, labels in torch_train]
odd_val = [(images, (labels % 2).float()[:, None]) for images, labels in torch_val]


def threshold(outputs, labels):
    return ((outputs > 0.5) == (labels > 0.5)).sum()


their_losses, their_history = torch_train_for(
    4, their_parity, torch.nn.BCELoss(), odd_train, odd_val, threshold, lr=3e-3
)

# %%
# minicnn
minicnn.manual_seed(0)
our_parity = minicnn.nn.Sequential(
    minicnn.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),  # (N, 8, 14, 14)
    minicnn.nn.ReLU(),
    minicnn.nn.MaxPool2d(2),  # (N, 8, 7, 7)
    minicnn.nn.Conv2d(8, 16, kernel_size=3, padding=1),  # (N, 16, 7, 7)
    minicnn.nn.ReLU(),
    minicnn.nn.Flatten(),  # (N, 784)
    minicnn.nn.Linear(784, 1),
    minicnn.nn.Sigmoid(),  # (N, 1)
)
our_odd_train = [(images, (labels % 2).astype(np.float32)[:, None]) for images, labels in our_train]
our_odd_val = [(images, (labels % 2).astype(np.float32)[:, None]) for images, labels in our_val]
our_losses, our_history = minicnn_train_for(
    4, our_parity, minicnn.nn.BCELoss(), our_odd_train, our_odd_val, threshold, lr=3e-3
)
agree("losses of the first ten steps", our_losses[:10], their_losses[:10], 1e-5)
show(their_history, our_history)
must("both end above 93 %", min(their_history[-1, 3], our_history[-1, 3]) > 0.93)

# %% [markdown]
# **A armadilha.** O laço do curso acha a resposta com `torch.max(outputs, 1)`: a posição do
# maior de dez. Com uma saída só, o maior de um é sempre o número 0. Todo dígito é chamado de
# par, e a acurácia é a fração de dígitos pares, por mais que a rede tenha aprendido. Nada
# falha, e o único rastro é uma perda que cai ao lado de uma acurácia que nunca se mexe.
#
# Pode ficar mais estranho ainda. As respostas têm o formato (N,), os alvos (N, 1): comparados
# como estão, cada uma das N respostas encontra cada um dos N alvos, e a "acurácia" pode passar
# de 1.

# %%
# torch
with torch.no_grad():
    outputs = their_parity(val_images)
_, answers = torch.max(outputs, 1)
theirs = (answers == val_labels % 2).float().mean()
broadcast = (answers == (val_labels % 2)[:, None]).sum() / len(answers)
print(f"p > 0.5              {threshold(outputs, (val_labels % 2)[:, None]) / 1000:.3f}")
print(f"max(outputs, 1)      {theirs:.3f}, of which called odd: {int(answers.sum())}")
print(f"... against (N, 1)   {broadcast:.3f}")

# %%
# minicnn
our_parity.eval()
outputs = our_parity(val_data.batch(range(1000))[0])
ours = (outputs.argmax(axis=1) == truth % 2).mean(dtype=np.float32)
agree("the accuracy that never moves", ours, theirs)
must("it is the share of even digits", np.isclose(ours, (truth % 2 == 0).mean()))

# %% [markdown]
# `BCEWithLogitsLoss` sobre o último neurônio sem a sigmoide faz a mesma conta, e continua exata
# onde uma sigmoide arredonda para 0 ou 1. O limiar é então 0, em vez de um meio.
#
# ## 8 Exercício: um gerador, de (N, latent_dim) a (N, 3, 100, 100)
#
# Um vetor de números sorteados vira uma imagem em cores. Uma camada linear faz 32 planos
# pequenos, de 13 x 13, e três convoluções transpostas dobram o seu tamanho; a seção 3 achou os
# passos, $13 \to 25 \to 50 \to 100$. A sigmoide traz as cores para o intervalo de 0 a 1.

# %%
# torch
torch.manual_seed(0)
their_generator = torch.nn.Sequential(
    torch.nn.Linear(64, 32 * 13 * 13),
    torch.nn.ReLU(),
    torch.nn.Unflatten(1, (32, 13, 13)),
    torch.nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1),
    torch.nn.ReLU(),
    torch.nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
    torch.nn.ReLU(),
    torch.nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1),
    torch.nn.Sigmoid(),
)
rng = np.random.default_rng(0)
latent, wanted = rng.standard_normal((4, 64), np.float32), rng.random((4, 3, 100, 100), np.float32)
z = torch.tensor(latent, requires_grad=True)
theirs = their_generator(z)
loss = torch.nn.MSELoss()(theirs, torch.tensor(wanted))
loss.backward()

# %%
# minicnn
minicnn.manual_seed(0)
our_generator = minicnn.nn.Sequential(
    minicnn.nn.Linear(64, 32 * 13 * 13),
    minicnn.nn.ReLU(),
    minicnn.nn.Unflatten(1, (32, 13, 13)),
    minicnn.nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1),
    minicnn.nn.ReLU(),
    minicnn.nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1, output_padding=1),
    minicnn.nn.ReLU(),
    minicnn.nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1),
    minicnn.nn.Sigmoid(),
)
x = latent
for layer in our_generator:
    x = layer(x)
    print(f"{type(layer).__name__:16} {x.shape}")

criterion = minicnn.nn.MSELoss()
ours = our_generator(latent)
our_loss = criterion(ours, wanted)
grad_latent = our_generator.backward(criterion.backward())
agree("pictures", ours, theirs)
agree("loss", our_loss, loss)
agree("gradient to the latent numbers", grad_latent, z.grad, 1e-4)
for (name, p), (_, q) in zip(our_generator.named_parameters(), their_generator.named_parameters(), strict=True):
    agree(f"gradient to {name}", p.grad, q.grad, 1e-4)

# %% [markdown]
# O kernel de 3 está ali para mostrar `output_padding`. Como contou a seção 3, o stride 2 não o
# divide; um gerador cujas imagens não devam mostrar xadrez começa de 25 x 25 e usa kernel 4,
# stride 2, padding 1: $25 \to 50 \to 100$.
#
# `python -m minicnn.train --task generator` treina um gerador, e `--task parity`, a rede da
# seção 7.
#
# ## 9 Escreva a sua própria camada
#
# Uma camada é uma classe com `forward` e `backward`. `forward` guarda aquilo de que `backward`
# vai precisar; `backward` recebe o gradiente em relação à saída e devolve o gradiente em
# relação à entrada. Todo o resto vem de `Module`.
#
# LeakyReLU deixa passar um pouco dos números negativos, para que um neurônio que é negativo em
# todas as imagens ainda receba um gradiente.


# %%
# torch
their_leaky = torch.nn.LeakyReLU(0.1)
values = np.random.default_rng(0).standard_normal((2, 3, 4))
upstream = np.random.default_rng(1).standard_normal((2, 3, 4))
x = torch.tensor(values, requires_grad=True)
theirs = their_leaky(x)
theirs.backward(torch.tensor(upstream))


# %%
# minicnn
class LeakyReLU(minicnn.nn.Module):
    """x where it is positive, slope * x where it is not."""

    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, x):
        self.keep(x > 0)
        return np.where(x > 0, x, self.slope * x)

    def backward(self, grad_output):
        (passed,) = self.kept()
        return np.where(passed, grad_output, self.slope * grad_output)


our_leaky = LeakyReLU(0.1)
agree("output", our_leaky(values), theirs)
agree("gradient to the input", our_leaky.backward(upstream), x.grad)

# %% [markdown]
# Nem sempre você vai ter a resposta do torch ao lado da sua. Qualquer camada pode ser
# verificada sem ela: mova uma entrada um tiquinho $h$ para cima e para baixo, e veja quanto a
# saída muda.
#
# $$\frac{\partial L}{\partial x_i} \approx \frac{L(x + h\,e_i) - L(x -
# h\,e_i)}{2h},\qquad L(x) = \sum g \cdot \text{layer}(x)$$
#
# Faça isso em float64, e com um $g$ sorteado: com uns no lugar dele, muitos erros se cancelam e
# não são vistos.


# %%
def central_differences(layer, x, grad_output, h=1e-6):
    """The gradient of sum(grad_output * layer(x)) with respect to x, one element after
    the other.
    """
    grad = np.empty_like(x)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = h
        grad[place] = (grad_output * (layer(x + step) - layer(x - step))).sum() / (2 * h)
    return grad


# %%
numeric = central_differences(our_leaky, values, upstream)
our_leaky(values)
agree("backward and central differences", our_leaky.backward(upstream), numeric, 1e-8)
print(minicnn.gradcheck(our_leaky, values, raise_error=True))  # the same and more, for any layer and its parameters

# %%
at_the_bend = central_differences(our_leaky, np.zeros(1), np.ones(1))[0]
our_leaky(np.zeros(1))
print(f"at exactly 0: central differences {at_the_bend:.2f}, backward {our_leaky.backward(np.ones(1))[0]:.2f}")

# %% [markdown]
# Exatamente em 0 os dois discordam, e nenhum está errado: ali a função tem uma dobra e não tem
# inclinação. As diferenças centrais tomam a média das inclinações dos dois lados. Verifique
# camadas com dobras em números que não caiam sobre elas.
#
# Por último, a camada em ação em uma rede pequena, ao lado da do torch.

# %%
# torch
torch.manual_seed(0)
their_small = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),
    torch.nn.LeakyReLU(0.1),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(392, 10),
)
their_losses, their_history = torch_train_for(
    3, their_small, torch.nn.CrossEntropyLoss(), torch_train, torch_val, largest_logit, lr=3e-3
)

# %%
# minicnn
minicnn.manual_seed(0)
our_small = minicnn.nn.Sequential(
    minicnn.nn.Conv2d(1, 8, kernel_size=5, stride=2, padding=2),
    LeakyReLU(0.1),
    minicnn.nn.MaxPool2d(2),
    minicnn.nn.Flatten(),
    minicnn.nn.Linear(392, 10),
)
our_losses, our_history = minicnn_train_for(
    3, our_small, minicnn.nn.CrossEntropyLoss(), our_train, our_val, largest_logit, lr=3e-3
)
agree("losses of the first ten steps", our_losses[:10], their_losses[:10], 1e-5)
show(their_history, our_history)
must("both end above 85 %", min(their_history[-1, 3], our_history[-1, 3]) > 0.85)

# %% [markdown]
# ## Para onde ir daqui
#
# * Leia o código. A seção 1 é `minicnn/kernels/numpy_textbook/convolution.py`; o guia de
#   leitura do README começa ali e leva ao resto.
# * Veja a prova: `make test` compara cada operação com o torch, com formatos e gradientes
#   sorteados.
