"""A página em português do Brasil."""

TEXTS = {
    # ------------------------------------------------------------------------ a moldura
    "page.lang": "pt-BR",
    "page.other": "en",
    "page.other_name": "English",
    "number.thousand": "1\u00a0000",  # um ponto pareceria o ponto decimal dos números em volta
    "page.skip": "Ir para o conteúdo",
    "page.views": "Telas",
    "page.noscript": "Esta página desenha com JavaScript, que está desligado.",
    "page.foot": "Servida nesta máquina por `python -m minicnn.explore`; nada é carregado de fora.",
    "page.no_answer": "O servidor não responde. O comando `python -m minicnn.explore` ainda está rodando?",
    "page.light": "Claro",
    "page.dark": "Escuro",
    "page.switch_to_light": "Mudar para cores claras",
    "page.switch_to_dark": "Mudar para cores escuras",
    "copy.copied": "Copiado",
    "copy.by_hand": "Selecione o texto e copie",
    # ------------------------------------------------------------- as telas, pelo nome
    "bench.title": "Bancada de camadas",
    "bench.lead": "Uma camada sobre poucos números. Aponte para um número, ou chegue até ele com Tab e as setas, "
    "para ver de que ele é feito; digite em uma célula para mudá-lo. Quem calcula cada número é o minicnn.",
    "source.title": "Código",
    "source.lead": "O código do minicnn, lido dos próprios arquivos que rodam, com os seus números dentro: à "
    "esquerda a linha, à direita o que cada nome guarda depois que ela rodou. Os números são os da bancada.",
    "channels.title": "Canais",
    "channels.lead": "A convolução olha cada canal de entrada com um kernel próprio e soma o que encontra. Aqui essa "
    "soma é desfeita. Com groups, um canal de saída vê só uma parte das entradas.",
    "matrix.link": "Como matriz",
    "matrix.title": "A convolução como matriz",
    "matrix.lead": "Escreva os pixels de uma imagem um embaixo do outro, e a convolução vira uma grande matriz, quase "
    "toda de zeros, com os poucos pesos repetidos em cada linha. A transposta dela é o que ConvTranspose2d calcula.",
    "run.title": "Meu treino",
    "costs.link": "Tempo e parâmetros",
    "costs.title": "Onde estão o tempo e os parâmetros",
    "costs.lead": "Parâmetros são o que se guarda e se aprende; multiplicações com soma são o trabalho para uma "
    "imagem. Eles não estão nas mesmas camadas. Bytes são o que forward guarda até backward; a última coluna diz "
    "quantas linhas × colunas da imagem uma saída vê.",
    # ------------------------------------------------------------ o que o servidor recusa
    "server.no_run": "Nenhum treino está aberto. Treine uma rede com `python -m minicnn.train` e depois abra esta "
    "página com `python -m minicnn.explore --run runs/simplecnn-seed0`.",
    "server.unreadable": "Não é possível ler {file}: {why}.",
    "server.a_file": "um arquivo",
    "server.failed": "O servidor falhou neste pedido; o terminal dele mostra onde. Por favor, avise os autores.",
    # ------------------------------------------------------------------ em várias telas
    "view.arguments": "Argumentos",
    "view.other_numbers": "Outros números",
    "view.skip": "Ir para os números",
    "view.not_answered": "Sem resposta: ",
    "view.refused": "Essa camada não existe. O minicnn diz {kind}: ",
    "view.input_size": "tamanho da entrada",
    "view.output_channel": "Canal de saída",
    "view.too_large_kind": "Grande demais para desenhar",
    "view.not_called_kind": "Não é chamada",
    "axis.height": "altura",
    "axis.width": "largura",
    "control.slider": "{label}, barra deslizante",
    "control.slider_of_both": "{label}, os dois, barra deslizante",
    "control.numbers": "números",
    "control.padding_as": "padding em palavras",
    "control.too_large": "{number} é grande demais para esta página: no máximo {max}.",
    "control.too_small": "{number} é pequeno demais para esta página: no mínimo {min}.",
    "grid.cell": "{label}, linha {row}, coluna {column}",
    "grid.not_a_number": "Ainda não é um número: escreva 1.5, −2, nan ou inf.",
    "grid.channel": "canal",
    "grid.input_channel": "canal de entrada",
    "grid.output_channel": "canal de saída",
    "sum.padding": "preenchimento",
    "sum.padding_apart": "preenchimento, que não participa",
    "sum.won": "venceu",
    "sum.lost": "perdeu",
    "sum.nothing": "nada",
    "sum.bias": "viés",
    "sum.maximum": "máximo de ",
    "sum.back": "O que volta para {name}: cada grad_output vezes o fator que o número tinha naquela saída.",
    "sum.backward": "backward dá {number}",
    "sum.numeric": "diferença central (L(x+h) − L(x−h)) / 2h = {number}",
    # -------------------------------------------------------------- bancada de camadas
    "bench.layer": "Camada",
    "bench.backward": "backward",
    "bench.backward_title": "A volta: backward",
    "bench.loss": "L é a soma de todas as saídas, cada uma vezes o seu grad_output; os gradientes são os de L.",
    "bench.input": "Entrada",
    "bench.padded": "Entrada com preenchimento",
    "bench.kernel": "Kernel",
    "bench.bias": "Viés",
    "bench.output": "Saída",
    "bench.indices": "Índices",
    "bench.indices_note": "A posição h W + w do vencedor.",
    "bench.label.input": "entrada",
    "bench.label.padded": "entrada com preenchimento",
    "bench.label.kernel": "kernel",
    "bench.label.bias": "viés",
    "bench.label.output": "saída",
    "bench.label.indices": "índices",
    "bench.label.gradient": "gradiente",
    "bench.label.padding": "preenchimento",
    "bench.label.unseen": "nenhuma janela vê",
    "bench.before_cropping": "Antes do corte",
    "bench.crops": "O padding corta esta borda dos carimbos.",
    "bench.padding_is": "O preenchimento é −∞: ele nunca vence.",
    "bench.greyed": "Em cinza: {count}, que nenhuma janela vê.",
    "bench.greyed_stamps": "Em cinza: {count}, cujos carimbos são todos cortados.",
    "bench.stale": "Mude a configuração até ela servir; os números abaixo são da última que serviu.",
    "bench.hint.backward": "Aponte para um número da entrada ou do kernel para ver o gradiente que volta para ele.",
    "bench.hint.sum": "Aponte para um número da saída para ver a soma por trás dele; para um da entrada, para ver "
    "aonde ele vai.",
    "bench.hint.maximum": "Aponte para um número da saída para ver o máximo por trás dele; para um da entrada, para "
    "ver aonde ele vai.",
    "bench.size": "O tamanho da saída",
    "bench.python": "O mesmo em Python",
    "bench.copy_line": "Copiar a linha",
    "bench.copy_program": "Copiar o programa inteiro",
    "bench.lines": "As linhas que o calculam: {name}",
    "bench.sum.one": "{name}:",
    "bench.sum.many": "{name}, uma soma de {count} produtos:",
    "bench.winner": "{name}: quem vence é input[{place}].",
    "bench.ties": "{count} elementos são igualmente grandes: o primeiro deles vence e recebe o gradiente.",
    "bench.feeds.one": "{name} = {value} entra em 1 saída",
    "bench.feeds.many": "{name} = {value} entra em {count} saídas",
    "bench.in_channels": " nos canais de saída {channels}",
    "bench.cropped": "; {count} dos seus carimbos caem na borda que o padding corta",
    "bench.won": " e vence em {count} delas",
    "bench.switch_on": " (ligue “backward” para ver o gradiente que volta).",
    "bench.stamps": "Ele carimba ",
    "bench.too_large": "Esta página desenha no máximo {most} números de saída, e esta camada daria {sizes} = {count}. "
    "Escolha uma entrada menor ou um passo (stride) maior.",
    "bench.no_weight": "MaxPool2d não tem pesos.",
    "bench.tie": "Um empate: aqui o máximo tem um bico e não tem derivada. A diferença central toma a média das "
    "inclinações dos dois lados; backward dá tudo ao primeiro dos iguais.",
    "size.no_stride": "{stride} não serve como stride.",
    "size.row.one": "O arredondamento para baixo deixa um resto de 1: a última linha da entrada com preenchimento não "
    "fica sob nenhuma janela.",
    "size.row.many": "O arredondamento para baixo deixa um resto de {rest}: as últimas {rest} linhas da entrada com "
    "preenchimento não ficam sob nenhuma janela.",
    "size.column.one": "O arredondamento para baixo deixa um resto de 1: a última coluna da entrada com preenchimento "
    "não fica sob nenhuma janela.",
    "size.column.many": "O arredondamento para baixo deixa um resto de {rest}: as últimas {rest} colunas da entrada "
    "com preenchimento não ficam sob nenhuma janela.",
    "size.dropped": "A última janela começaria em {start}, depois da entrada e do primeiro preenchimento ({end}): ela "
    "é descartada.",
    "size.ceiling": "O arredondamento para cima acrescenta uma janela que passa da entrada com preenchimento.",
    "size.asked": "output_size {size} pede output_padding {padding} aqui.",
    "size.several": "Uma convolução com stride {stride} leva cada um dos tamanhos de {least} a {most} ao tamanho "
    "{size}; output_padding escolhe um deles.",
    # ---------------------------------------------------------------------------- canais
    "channels.input": "entrada {channel}",
    "channels.adds": "o que o canal {channel} soma",
    "channels.output": "saída {channel} = a soma + viés {bias}",
    "channels.channel": "canal {channel}",
    "channels.all": "todos",
    "channels.weights": "{weights} pesos (sem grupos, {without}), {work} multiplicações com soma para uma imagem.",
    "channels.unlinked": "Não se liga a este canal de saída: entrada {channels}.",
    "channels.told": "{name}: para cada canal os seus produtos, depois a soma dos canais.",
    "channels.sees": "a saída {output} vê a entrada {inputs}",
    "channels.groups.1": "groups=1: cada canal de saída vê todos os canais de entrada.",
    "channels.depthwise.one": "groups={groups}: cada canal de entrada tem um canal de saída só seu (uma convolução "
    "depthwise, em profundidade). Os canais não se misturam.",
    "channels.depthwise.many": "groups={groups}: cada canal de entrada tem {each} canais de saída só seus (uma "
    "convolução depthwise, em profundidade). Os canais não se misturam.",
    "channels.groups.many": "groups={groups}: {groups} convoluções lado a lado, cada uma de {inputs} canais de entrada "
    "para {outputs} canais de saída. Das {all} ligações sobram {left}.",
    # ---------------------------------------------------------------------- como matriz
    "matrix.x": "x, a imagem",
    "matrix.matrix": "matriz",
    "matrix.transposed": "M transposta vezes y",
    "matrix.gram": "M transposta vezes M",
    "matrix.which": "Qual matriz",
    "matrix.convolution": "M: convolução",
    "matrix.transposed_convolution": ": convolução transposta",
    "matrix.copy": "Copiar",
    "matrix.no_inverse": "Por que a transposta não é a inversa",
    "matrix.identity": "M, que seria a identidade se ela fosse",
    "matrix.refused": "Isso não existe. O minicnn diz {kind}: ",
    "matrix.equal": "{line} dá os mesmos números que o produto com Mᵀ. Compare x com Mᵀy, acima: o formato volta, os "
    "valores não.",
    "matrix.hint": "Aponte para um número da matriz, de x ou de y: uma linha de M pertence a um pixel da saída; uma "
    "coluna, a um pixel da entrada.",
    "matrix.shape.M": "M tem {rows} linhas, uma para cada pixel da saída, e {columns} colunas, uma para cada pixel da "
    "entrada. {zeros} dos seus elementos são 0.",
    "matrix.shape.T": "Mᵀ tem {rows} linhas, uma para cada pixel da entrada, e {columns} colunas, uma para cada pixel "
    "da saída. {zeros} dos seus elementos são 0.",
    "matrix.outside": "{name}: o pixel de entrada {pixel} está fora da janela de {output}.",
    "matrix.inside": "{name}: o peso que fica sobre {pixel} na janela de {output}.",
    "matrix.output": "{name} é a linha {row} de M vezes x.",
    "matrix.pixel": "{name} encontra a coluna {column} de M: ele entra em {uses} saídas. De volta delas, a linha "
    "{column} de Mᵀ vezes y dá {back}.",
    "matrix.no_kernel": "Um kernel precisa de pelo menos uma linha e uma coluna.",
    "matrix.too_large": "Esta página desenha no máximo {most} linhas; aqui são {rows} * {columns} = {count}.",
    "matrix.not_finite": "O kernel tem um número que não é finito.",
    "matrix.copies": "Este kernel só copia os pixels; nesse caso, transpor desfaz. Mude um peso qualquer e já não "
    "desfaz mais.",
    "matrix.lost": "M tem {rows} linhas e {columns} colunas, das quais {rank} são independentes: {lost} das {columns} "
    "dimensões da entrada não deixam rastro na saída, e nenhuma camada pode trazê-las de volta. Multiplicar pela "
    "transposta devolve o formato, não os valores: cada saída volta a todos os pixels de onde veio, e as partes se "
    "somam.",
    "matrix.full": "Todas as {columns} dimensões da entrada ainda estão na saída (posto {rank}), então existe uma "
    "inversa; mas ela não é a transposta: MᵀM não é a identidade. A transposta devolve cada saída a todos os pixels "
    "de onde ela veio.",
    # ---------------------------------------------------------------- o que um pedido diz
    "ask.object": "O pedido precisa ser um objeto JSON; veio {got}.",
    "ask.field": "O pedido precisa ter o campo {name}; ele tem {fields}.",
    "ask.none": "nenhum",
    "ask.pair": "{name} precisa ser dois números inteiros [altura, largura]; veio {got}.",
    "ask.choice": "{name} precisa ser um destes: {choices}; veio {got}.",
    "ask.flag": "{name} precisa ser true ou false; veio {got}.",
    "ask.integer": "{name} precisa ser um número inteiro de {low} a {high}; veio {got}.",
    "ask.a_cell": "uma célula",
    "ask.text": "{name} precisa ter um número como 1.5, -2, nan ou inf; veio {got}.",
    "ask.number": "{name} precisa ter um número; veio {got}.",
    "ask.nested": "{name} precisa ser {count} níveis de listas de números, nenhuma delas vazia.",
    "ask.cells": "{name} pode ter no máximo {most} células; vieram {sizes}.",
    "ask.full": "{name} precisa ser uma grade completa: todas as linhas do mesmo comprimento.",
    "ask.an_object": "um objeto",
    "ask.a_list": "uma lista de {count}",
    "ask.cell": "cell precisa ser {count} números inteiros, um lugar em {grid}, de formato {shape}.",
}
