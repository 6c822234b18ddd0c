"""A visão "Treinar" em português do Brasil."""

TEXTS = {
    "train.title": "Treinar",
    "train.lead": "Uma rede aprende enquanto você olha. Escolha uma configuração ou um dos experimentos, "
    "inicie, pause, avance passo a passo, mude a taxa de aprendizado no caminho. Todas as abas desta página "
    "mostram o mesmo treino.",
    # ----------------------------------------------------------------------- a configuração
    "train.both": "O que se aprende",
    "train.run": "Treino {letter}",
    "train.second": "um segundo treino ao lado",
    "train.more": "Para estragar",
    "train.field.task": "tarefa",
    "train.field.images": "imagens de treino",
    "train.field.backend": "kernels",
    "train.field.optimizer": "otimizador",
    "train.field.lr": "taxa de aprendizado",
    "train.field.momentum": "momentum",
    "train.field.batch_size": "tamanho do lote",
    "train.field.seed": "semente inicial",
    "train.field.weights": "pesos iniciais",
    "train.field.relu": "ReLU",
    "train.field.labels": "rótulos",
    "train.task.digits": "qual dígito?",
    "train.task.parity": "ímpar ou par?",
    "train.backend.numba": "numba: rápido",
    "train.backend.numpy": "numpy: o livro-texto",
    "train.optimizer.Adam": "Adam",
    "train.optimizer.SGD": "SGD",
    "train.optimizer.momentum": "SGD com momentum",
    "train.weights.seed": "sorteados da semente",
    "train.weights.zeros": "todos zero",
    "train.relu.true": "como é",
    "train.relu.false": "retirada",
    "train.labels.true": "os certos",
    "train.labels.shuffled": "embaralhados",
    # ------------------------------------------------------------------------- os botões
    "train.buttons": "Treino",
    "train.start": "Iniciar",
    "train.pause": "Pausar",
    "train.step": "Um passo",
    "train.epoch": "Uma época",
    "train.again": "Recomeçar",
    "train.changed": "A configuração acima não é a que está sendo treinada: Recomeçar passa a usá-la.",
    "train.state.none": "Nada está sendo treinado ainda.",
    "train.state.running": "Treinando.",
    "train.state.paused": "Em pausa.",
    "train.state.nobody": "Em pausa, porque há dois minutos nenhuma página olhava. Iniciar continua.",
    "train.state.compiling": "Compilando os kernels para esta máquina, uma única vez: uns 15 segundos; numa "
    "máquina ocupada, um minuto.",
    "train.state.busy": "Está em andamento um passo que leva mais de um segundo.",
    "train.problem": "Não foi feito: ",
    # ------------------------------------------------------------------------------ curvas
    "train.curve.loss": "Perda",
    "train.curve.accuracy": "Acurácia",
    "train.curve.train": "{run} treino, no caminho",
    "train.curve.val": "{run} validação, depois de cada época",
    "train.curve.note": "Da esquerda para a direita: épocas. Um ponto da linha do treino é a média de alguns "
    "passos, medida antes de a rede aprender com as imagens deles.",
    "train.curve.told": "Treino {run}: no treino {train}, na validação {val}.",
    # ------------------------------------------------------------------------ um treino -------
    "train.short_rate": "taxa de aprendizado {lr}",
    "train.short_batch": "lotes de {size}",
    "train.facts": "Época {epoch}, passo {step} de {all}; {seen} imagens vistas.",
    "train.last": "Validação: {val} certas, perda {loss}.",
    "train.ended.nan": "Parou: a perda já não é um número finito.",
    "train.ended.failed": "Parou: um passo falhou com {error}. O terminal mostra onde; Recomeçar começa de novo.",
    "train.ended.epochs": "Parou depois de 200 épocas, o máximo que esta página treina.",
    "train.rate": "taxa de aprendizado daqui em diante",
    "train.change": "Mudar",
    "train.keep": "Guardar como pasta de treino",
    "train.kept": "Guardado: {folder} contém o que foi aprendido até a última época completa. Abra com {command}",
    "train.filters": "Filtros da primeira camada",
    "train.filter_gradients": "Os gradientes deles no último passo",
    "train.filters_note": "Azul é positivo, laranja negativo, cada grupo numa escala própria. Escolha um filtro "
    "para acompanhar abaixo o peso do meio dele.",
    "train.choose_filter": "filtro {filter}: acompanhar o peso do meio",
    "train.not_yet": "Não há antes do primeiro passo.",
    "train.sizes": "Tamanhos, camada por camada",
    "train.sizes_note": "Valores quadráticos médios (RMS): o tamanho de um peso, não o da camada inteira, para "
    "que camadas grandes não pareçam mais fortes. O usual é uma atualização de cerca de um milésimo do peso.",
    "train.sizes_caption": "Tamanho de um número",
    "train.size.weight": "peso",
    "train.size.gradient": "gradiente",
    "train.size.update": "atualização",
    "train.size.ratio": "atualização / peso",
    "train.dead_caption": "ReLUs mortas: 0 em cada uma de 100 imagens de validação",
    "train.size.dead": "mortas",
    "train.size.units": "de",
    "train.digit": "O que um dígito faz nela",
    "train.image": "imagem de validação, um {name}",
    "train.maps": "{count} mapas depois de {layer}",
    "train.which_digit": "imagem de validação",
    "train.which_weight": "peso a acompanhar",
    "train.place": "posição, eixo {axis}",
    "train.looked_at": "Para onde se olha",
    # ---------------------------------------------------------- a atualização, termo a termo
    "train.update": "A última atualização de um peso, termo a termo",
    "train.term.gradient": "o gradiente",
    "train.term.step": "passo",
    "train.term.new": "w − passo",
    "train.term.held": "Calculado com 64 bits a partir do que o otimizador tinha antes. Na rede, que guarda 32, "
    "o peso agora é {after}.",
    # -------------------------------------------------------------------------------- avisos
    "train.hint.nan.what": "A perda virou NaN ou infinito no passo {step}.",
    "train.hint.nan.why": "Um passo foi tão longo que os números saíram do que cabe em float32, e o que se "
    "calcula com NaN é NaN: daqui em diante nada se aprende. Recomece com um décimo da taxa de aprendizado {lr}.",
    "train.hint.rises.what": "A perda sobe: está em {last}, e já esteve em {lowest}.",
    "train.hint.rises.why": "O gradiente só diz a inclinação aqui; um passo longo ao longo dele termina do "
    "outro lado do vale, mais alto. Torne a taxa de aprendizado {lr} dez vezes menor.",
    "train.hint.dead.what": "{dead} de {units} unidades de {layer} estão mortas.",
    "train.hint.dead.why": "Elas dão 0 para toda imagem, e onde a ReLU dá 0 ela não deixa passar gradiente; por "
    "isso ficam como estão. Em geral um passo longo demais levou os vieses delas para muito abaixo de 0. "
    "Recomece com uma taxa de aprendizado menor.",
    "train.hint.no_gradient.what": "Nenhum gradiente chega a {name}.",
    "train.hint.no_gradient.why": "O gradiente dele é exatamente 0: aquilo por que ele é multiplicado no "
    "caminho, a entrada da camada ou os pesos acima, é 0 em toda parte. Por isso esta camada não aprende.",
    "train.hint.one_answer.what": "Cada uma de 100 imagens recebe a mesma resposta, {answer}.",
    "train.hint.one_answer.why": "Isso acerta {share} delas, a parcela desta classe, seja qual for a imagem: a "
    "rede só aprendeu com que frequência cada classe aparece. Ou ela mal começou (a taxa de aprendizado é "
    "pequena demais), ou nada da imagem passa (unidades mortas, pesos 0).",
    "train.hint.ahead.what": "O treino está muito à frente da validação: {train} contra {val}.",
    "train.hint.ahead.why": "Com {images} imagens a rede pode decorá-las, e o que ela decora não ajuda com "
    "outras. Use mais imagens, ou pare antes.",
    # -------------------------------------------------------------------------- experimentos
    "train.experiments": "Experimentos para fazer",
    "train.try": "Experimentar",
    "train.experiment.rate_one.name": "Taxa de aprendizado 1",
    "train.experiment.rate_one.expect": "Adam move cada peso cerca de 1 por passo, dez vezes o que a maioria "
    "dos pesos é. A perda salta acima do início, quase todas as ReLUs morrem, e cerca de uma imagem em dez "
    "continua certa.",
    "train.experiment.zeros.name": "Todos os pesos zero",
    "train.experiment.zeros.expect": "Todo gradiente é 0, menos o do último viés. Todos os pesos ficam 0 para "
    "sempre, e a rede dá a mesma resposta a toda imagem. A perda fica perto de ln 10 = 2,30.",
    "train.experiment.no_relu.name": "Sem ReLU",
    "train.experiment.no_relu.expect": "Muitos acreditam: sem ReLU esta rede é linear. Na verdade o max pooling "
    "também não é linear, e com dígitos o treino B aprende tão bem quanto o A.",
    "train.experiment.batch_of_one.name": "Um lote de 1",
    "train.experiment.batch_of_one.expect": "O treino B dá 64 passos para cada um do A. A perda dele salta de "
    "passo em passo, pois uma imagem diz pouco sobre todas; depois das mesmas imagens ele aprendeu mais, e "
    "levou muito mais tempo.",
    "train.experiment.shuffled.name": "Rótulos embaralhados",
    "train.experiment.shuffled.expect": "Não há nada para entender, mas 100 imagens podem ser decoradas: o "
    "treino passa de 90 %, a validação fica perto de 10 %, e a perda dela sobe muito acima do início.",
    "train.experiment.few_images.name": "100 imagens",
    "train.experiment.few_images.expect": "O treino chega a quase 100 %, a validação fica abaixo de 80 %: a "
    "diferença é o que foi decorado.",
    "train.experiment.adam_sgd.name": "Adam e SGD",
    "train.experiment.adam_sgd.expect": "Ambos têm taxa de aprendizado 0,001. O passo do Adam tem mais ou menos "
    "esse comprimento em cada peso; o do SGD é isso vezes o gradiente, umas cem vezes menor: depois de quatro "
    "épocas o Adam passa de 80 %, o SGD mal se moveu.",
    "train.experiment.momentum.name": "Com e sem momentum",
    "train.experiment.momentum.expect": "Ambos são SGD com taxa de aprendizado 0,01. Sob um gradiente "
    "constante, momentum 0,9 torna o passo dez vezes mais longo: o treino B cai enquanto o A ainda está perto "
    "de 2,3.",
    # ----------------------------------------------------------------- o que o servidor recusa
    "train.refused.data": "Os dígitos que vêm com o pacote não podem ser lidos: {why}",
    "train.refused.rate": "A taxa de aprendizado deve ser maior que 0: com 0 nada se aprende.",
    "train.refused.between": "{name} deve ser um número de {low} a {high}, recebido {value}.",
    "train.refused.runs": "runs deve ser uma lista de 1 a {most} configurações.",
    "train.refused.unlike": "Dois treinos lado a lado devem ter a mesma tarefa e as mesmas imagens.",
    "train.refused.place": "place deve ter {count} números inteiros, uma posição em {name} {shape}.",
    "train.refused.no_run": "Nada está sendo treinado como treino {run}: aperte Recomeçar.",
    "train.refused.stopping": "O servidor está parando.",
    "train.refused.write": "A pasta de treino não pode ser escrita em runs/, na pasta em que a página foi "
    "iniciada: {why}.",
    "train.refused.no_relu": "Uma rede sem ReLU não pode ser guardada: quem abre uma pasta de treino monta a "
    "rede com as ReLUs.",
    "train.refused.no_epoch": "Nenhuma época terminou ainda, e uma pasta de treino guarda o estado depois de "
    "uma: aperte Uma época.",
}
