"""As perguntas em português do Brasil."""

TEXTS = {
    "question.title": "Uma pergunta para percorrer",
    "question.begin": "Começar",
    "question.back": "Lugar anterior",
    "question.next": "Próximo lugar",
    "question.place": "Lugar {number} de {all}:",
    "question.transposed": "Por que o gradiente de conv2d em relação à entrada é uma convolução transposta?",
    "question.transposed.1": "A ida (forward) é um único produto, output = rows @ cols. A linha o de rows é o kernel "
    "do canal de saída o; a coluna p de cols é o que a janela do pixel de saída p vê. Assim, rows[o, k] · cols[k, p] é "
    "um dos termos de output[o, p].",
    "question.transposed.2": "cols guarda cópias. Um pixel da entrada aparece nela uma vez para cada janela que o vê. "
    "Siga com “Avançar”: cada posição do kernel copia uma parte deslocada da imagem com padding.",
    "question.transposed.3": "A volta (backward): em output[o, p], o elemento cols[k, p] foi multiplicado por "
    "rows[o, k]. Logo, o gradiente dele é rows[o, k] · grad[o, p], somado sobre o, e isso é o produto rows^T @ grad. "
    "Aponte para um número de grad_cols: é um peso vezes um gradiente. col2im recebe essa matriz como cols.",
    "question.transposed.4": "Um pixel recolhe os gradientes de todas as suas cópias; por isso há += onde im2col tinha "
    "=, nas mesmas posições. Leia a partir de grad_output: cada número seu, vezes o kernel, é somado ao plano onde a "
    "janela dele estava. Vizinhos se sobrepõem. Carimbar o kernel assim é o que faz uma convolução transposta.",
    "question.transposed.5": "ConvTranspose2d sobre os mesmos números: a entrada é aquele grad_output, os pesos são o "
    "mesmo kernel. O forward dela chama exatamente esta função. Veja as chamadas acima do código.",
    "question.transposed.6": "O resultado é, número por número, o gradiente de conv2d em relação à entrada. Portanto, "
    "o forward da convolução transposta é esse gradiente, e o nome vem de rows^T e de col2im, a transposta de im2col. "
    "Ela não desfaz a convolução: devolve cada número pelos caminhos por onde as entradas vieram.",
    "walk.argument_from": "{number} veio com a chamada: quem o fez foi a linha {line} de {function}.",
    "walk.made_from": "Feito de {cells}.",
    "export.no_origins": "De onde veio cada número esta página não diz: com isso ela teria {bytes} bytes, e uma página "
    "tem no máximo {most}. `python -m minicnn.explore` diz.",
    "export.too_large": "O percurso por {name} tem números demais para uma página de {most} bytes. "
    "Dê uma entrada menor.",
    "export.verdict": "gradcheck: backward é a derivada de forward.",
    "export.verdict_wrong": "gradcheck: não está certo.",
}
