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
}
