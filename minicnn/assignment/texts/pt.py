"""O que os alunos leem, em português do Brasil. Uma chave que começa com `line` é uma linha
dos pontos.
"""

TEXTS = {
    # ------------------------------------------------------------------ o README da pasta
    "readme": """\
# Trabalho: {title}

Complete as funções em `solution.py`. Cada uma diz o que recebe e o que devolve, com os formatos
(shapes) e um exemplo resolvido à mão.

    python -m doctest solution.py      # só os exemplos
    pytest                             # todos os requisitos, com os seus pontos

Você precisa de Python 3.10 ou mais novo, NumPy e pytest: `pip install numpy pytest`.

## O que vale pontos

{points}

Cada requisito verifica uma única coisa. Quando um deles falha, o teste mostra a chamada com seus
números, o resultado certo e o que a sua função devolveu: copie a chamada e refaça a conta no papel.

## Regras

- Você pode importar {allowed} e os módulos do próprio Python. Uma solução que importa o torch, ou
  outra biblioteca que já traz essas funções prontas, não recebe pontos; nem uma que inicia um
  programa.
- Os nomes e a ordem dos argumentos ficam como estão. Você pode escrever funções auxiliares.
- Cada requisito tem 10 segundos e 2 GB. Laços em Python são rápidos o bastante.
- Os arrays recebidos ficam como estão: trabalhe em uma cópia.
- O resultado tem o dtype da entrada: entra float32, sai float32.
- Os testes não mostram o que você imprime: para ver, chame a função você mesmo.

## Palavras

N imagens, C canais, H linhas, W colunas; O canais de saída; KH e KW são as linhas e as colunas do
kernel; OH e OW, as da saída. `grad_output` é o gradiente da perda em relação ao que a função
devolveu; a `_backward` da função dá o gradiente em relação ao que ela recebeu.
""",
    "points_row": "| `{function}` | {points} |",
    "points_head": "| função | pontos |\n|---|---|",
    "points_sum": "| soma | {points} |",
    # ---------------------------------------------------------------------------- solution.py
    "skeleton": "Complete cada função: ela diz o que recebe e o que devolve, com um exemplo à mão.",
    "by_hand": "À mão:",
    "doc.conv2d": "Desliza o kernel sobre cada imagem (correlação cruzada): cada saída é a soma dos\n"
    "produtos sob a janela, em todos os canais de entrada, mais bias[o] (o viés). None é sem viés.",
    "doc.conv2d_backward": "Os gradientes de conv2d: em relação à entrada, aos pesos e ao viés.",
    "doc.max_pool2d": "O maior número sob cada janela.",
    "doc.max_pool2d_backward": "O gradiente de cada janela vai para o seu maior número; entre iguais, para o primeiro\n"
    "(linha por linha). Onde as janelas se sobrepõem, ele se soma.",
    "doc.linear": "A entrada vezes os pesos transpostos, mais o viés.",
    "doc.linear_backward": "Os gradientes de linear: em relação à entrada, aos pesos e ao viés.",
    "doc.relu": "O que é negativo vira 0.",
    "doc.relu_backward": "O gradiente passa onde a saída é positiva; no resto, e também em 0, ele é 0.\n"
    "`output` é o que relu devolveu.",
    "doc.sigmoid": "1 / (1 + exp(-x)), também para números grandes, positivos ou negativos.",
    "doc.sigmoid_backward": "grad_output vezes s (1 - s), em que s é `output`: o que sigmoid devolveu.",
    "doc.tanh": "(exp(x) - exp(-x)) / (exp(x) + exp(-x)).",
    "doc.tanh_backward": "grad_output vezes 1 - t^2, em que t é `output`: o que tanh devolveu.",
    "doc.cross_entropy": "Entropia cruzada: a média de -log(softmax(logits)[target]) sobre as N linhas. `target` tem\n"
    "números inteiros de 0 a C - 1. Logits de 1000 não podem causar overflow.",
    "doc.cross_entropy_backward": "O gradiente de cross_entropy em relação aos logits: (softmax - one-hot) / N vezes\n"
    "grad_output, que é um único número.",
    "doc.mse_loss": "Erro quadrático médio: a média de (input - target)^2 sobre todos os números.",
    "doc.mse_loss_backward": "O gradiente de mse_loss em relação à entrada, vezes grad_output, que é um único número.",
    "doc.adam": "Um passo do Adam. `exp_avg` e `exp_avg_sq` são as médias móveis do gradiente e do seu\n"
    "quadrado antes deste passo; `step` vale 1 no primeiro. weight_decay * param é somado ao\n"
    "gradiente. Devolve arrays novos.",
    "doc.sgd": "Um passo da descida do gradiente com momento: o buffer vira momentum * buffer + grad, e\n"
    "param anda lr * buffer no sentido contrário. Devolve arrays novos.",
    "arg.kernel_size": "kernel_size: o tamanho da janela, um inteiro ou um par (linhas, colunas).",
    "arg.stride": "stride: o passo da janela, um inteiro ou um par (para baixo, para o lado).",
    "arg.pool_stride": "stride: o passo da janela, um inteiro ou um par (para baixo, para o lado); None é\n"
    "kernel_size: as janelas ficam lado a lado.",
    "arg.padding": "padding: quantas linhas e colunas de zeros em volta de cada imagem, um inteiro ou um par\n"
    "(linhas acima e abaixo, colunas à esquerda e à direita).",
    "arg.pool_padding": "padding: quantas linhas e colunas em volta de cada imagem, um inteiro ou um par (linhas\n"
    "acima e abaixo, colunas à esquerda e à direita). Elas são -inf, para que nunca vençam.",
    "arg.dilation": "dilation: a distância entre os números do kernel, um inteiro ou um par (para baixo,\n"
    "para o lado).",
    "arg.groups": "groups: os canais de saída do bloco g só veem os canais de entrada do bloco g.",
    # ------------------------------------------------------------------------- requisitos
    "line.conv2d.plain": "cada saída é a soma dos produtos sob a sua janela",
    "line.conv2d.orientation": "o kernel não é girado: weight[..., 0, 0] encontra o pixel superior esquerdo da janela",
    "line.conv2d.channels": "a soma percorre os canais de entrada, para cada canal de saída",
    "line.conv2d.batch": "todas as imagens do lote são calculadas",
    "line.conv2d.bias": "bias[o] é somado a cada pixel do canal de saída o",
    "line.stride": "a janela anda de stride em stride; uma última janela incompleta fica de fora",
    "line.stride_pair": "stride como par: para baixo, para o lado",
    "line.padding": "padding nos quatro lados",
    "line.padding_pair": "padding como par: linhas, colunas",
    "line.dilation": "os números do kernel ficam a dilation pixels um do outro",
    "line.dilation_pair": "dilation como par: para baixo, para o lado",
    "line.groups": "o bloco de saída g só vê o bloco de entrada g",
    "line.conv2d_backward.grad_input": "grad_input de uma única janela: o gradiente dela vezes o kernel",
    "line.conv2d_backward.overlap": "grad_input onde as janelas se sobrepõem: os gradientes se somam",
    "line.conv2d_backward.input_channels": "grad_input soma sobre os canais de saída",
    "line.conv2d_backward.grad_weight": "grad_weight é a soma sobre todas as janelas",
    "line.conv2d_backward.weight_channels": "grad_weight tem cada par de canais no seu lugar",
    "line.conv2d_backward.weight_batch": "grad_weight é a soma sobre as imagens, não a média",
    "line.conv2d_backward.grad_bias": "grad_bias é a soma sobre todos os pixels de um canal",
    "line.conv2d_backward.bias_batch": "grad_bias é a soma sobre as imagens, não a média",
    "line.max_pool2d.plain": "o maior número de cada janela, com as janelas lado a lado",
    "line.kernel_pair": "kernel_size como par: linhas, colunas",
    "line.channels": "cada canal de cada imagem separadamente",
    "line.negative": "o padding nunca vence, nem onde todos os números são negativos",
    "line.max_pool2d_backward.plain": "o gradiente vai para o maior número de cada janela, 0 para os outros",
    "line.ties": "entre números iguais, o primeiro recebe o gradiente, e recebe tudo",
    "line.max_pool2d_backward.overlap": "um número que vence em várias janelas recebe a soma",
    "line.linear.plain": "a entrada vezes os pesos transpostos, para uma linha",
    "line.linear.batch": "para várias linhas",
    "line.linear.bias": "o viés é somado",
    "line.linear_backward.grad_input": "grad_input é grad_output vezes weight",
    "line.linear_backward.grad_weight": "grad_weight tem os eixos de weight: (O, I)",
    "line.linear_backward.grad_bias": "grad_bias de uma única linha é grad_output",
    "line.linear_backward.batch": "grad_weight e grad_bias são somas sobre as linhas, não médias",
    "line.relu.plain": "números negativos viram 0, os outros ficam",
    "line.relu_backward.plain": "o gradiente passa onde a saída é positiva",
    "line.zero": "onde a saída é 0 o gradiente é 0",
    "line.sigmoid.plain": "1 / (1 + exp(-x))",
    "line.far": "longe de 0 ela vale 0 e 1, sem NaN",
    "line.sigmoid_backward.plain": "grad_output * s * (1 - s)",
    "line.tanh.plain": "tanh(x)",
    "line.tanh_backward.plain": "grad_output * (1 - t^2)",
    "line.cross_entropy.plain": "-log(softmax) da classe verdadeira, para uma linha",
    "line.mean": "a média do que se conta, não a soma",
    "line.large": "logits de 1000 não causam overflow",
    "line.cross_entropy_backward.plain": "softmax menos one-hot, para uma linha",
    "line.chain": "o gradiente é multiplicado por grad_output",
    "line.mse_loss.plain": "o quadrado da diferença",
    "line.mse_loss_backward.plain": "duas vezes a diferença",
    "line.moments": "exp_avg e exp_avg_sq são as médias móveis",
    "line.step": "param anda lr * exp_avg / sqrt(exp_avg_sq) contra o gradiente",
    "line.correction": "as duas médias são divididas por 1 - beta^step",
    "line.eps": "eps é somado à raiz, não dentro dela",
    "line.decay": "weight_decay * param é somado ao gradiente",
    "line.sgd.plain": "sem momento: param - lr * grad",
    "line.momentum": "o buffer vira momentum * buffer + grad",
    "line.all": "tudo junto",
    "line.dtype": "entra float32, sai float32",
    "line.unchanged": "o que a função recebe fica como está",
    "line.again": "a mesma chamada duas vezes dá o mesmo resultado",
    # -------------------------------------------------------------------- as mensagens de erro
    "points": "Pontos",
    "total": "{points} de {of} pontos",
    "no_file": "O arquivo {file} não existe.",
    "slow": "Não terminou em {seconds:g} segundos: há um laço que nunca acaba?",
    "ended": "O Python terminou antes que a função devolvesse algo (código de saída {status}).",
    "in_line": " (linha {line})",
    "foreign_import": "Nenhum ponto: a solução importa {name}{where}. Só podem ser usados {allowed} e os módulos do"
    " próprio Python.",
    "foreign_program": "Nenhum ponto: a solução inicia um programa ou envia um sinal ({name}){where}. Só podem ser"
    " usados {allowed} e os módulos do próprio Python.",
    "error_missing": "solution.py não tem a função {text}.",
    "error_unwritten": "{text} ainda não foi escrita.",
    "error_memory": "Precisa de mais memória do que há. {text}",
    "error_raised": "Levanta um erro. {text}",
    "error_import": "solution.py não pode ser importado. {text}",
    "changed": "Escreve em {name}, que pertence a quem chamou: trabalhe em uma cópia.\n{call}",
    "nothing": "nada é devolvido neste lugar; falta um return?",
    "no_array": "espera-se um array de números, e isto é {type}; falta um return?",
    "dtype": "é {got}, e o certo é {right}",
    "again": "na segunda vez, a mesma chamada dá outro resultado\n    primeira: {first}\n    segunda:  {second}",
    "shape": "o formato (shape) é {got}, e o certo é {right}",
    "values": "{wrong} de {all} números estão errados, o primeiro em {place}: o certo é {right_one:g}, e o"
    " seu, {got_one:g}\n    certo: {right}\n    seu:   {got}",
    "one": "o certo é {right_one:g}, e o seu, {got_one:g}",
    "nothing_right": "Isto conta quando uma linha acima dela for cumprida.",
}
