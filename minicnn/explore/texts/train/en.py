"""The view "Train" in English."""

TEXTS = {
    "train.title": "Train",
    "train.lead": "A network learns while you look on. Choose a setting or one of the experiments, start, "
    "pause, go a step at a time, change the learning rate on the way. All tabs of this page show the same "
    "training.",
    # ------------------------------------------------------------------------- the setting
    "train.both": "What is learnt",
    "train.run": "Run {letter}",
    "train.second": "a second run beside it",
    "train.more": "To break it",
    "train.field.task": "task",
    "train.field.images": "training images",
    "train.field.backend": "kernels",
    "train.field.optimizer": "optimizer",
    "train.field.lr": "learning rate",
    "train.field.momentum": "momentum",
    "train.field.batch_size": "batch size",
    "train.field.seed": "initial seed",
    "train.field.weights": "initial weights",
    "train.field.relu": "ReLU",
    "train.field.labels": "labels",
    "train.task.digits": "which digit?",
    "train.task.parity": "odd or even?",
    "train.backend.numba": "numba: fast",
    "train.backend.numpy": "numpy: the textbook",
    "train.optimizer.Adam": "Adam",
    "train.optimizer.SGD": "SGD",
    "train.optimizer.momentum": "SGD with momentum",
    "train.weights.seed": "drawn from the seed",
    "train.weights.zeros": "all zero",
    "train.relu.true": "as it is",
    "train.relu.false": "left out",
    "train.labels.true": "the right ones",
    "train.labels.shuffled": "shuffled",
    # ------------------------------------------------------------------------ the buttons
    "train.buttons": "Training",
    "train.start": "Start",
    "train.pause": "Pause",
    "train.step": "One step",
    "train.epoch": "One epoch",
    "train.again": "Start again",
    "train.changed": "The setting above is another one than what is being trained: Start again takes it.",
    "train.state.none": "Nothing is being trained yet.",
    "train.state.running": "Training.",
    "train.state.paused": "Paused.",
    "train.state.nobody": "Paused, because for two minutes no page had looked. Start goes on.",
    "train.state.compiling": "Compiling the kernels for this machine, once: some 15 seconds, on a busy machine "
    "a minute.",
    "train.state.busy": "A step is under way that takes longer than a second.",
    "train.problem": "Not done: ",
    # ----------------------------------------------------------------------------- curves
    "train.curve.loss": "Loss",
    "train.curve.accuracy": "Accuracy",
    "train.curve.train": "{run} training, on the way",
    "train.curve.val": "{run} validation, after each epoch",
    "train.curve.note": "From left to right: epochs. A point of the training's line is the mean of a few steps, "
    "taken before the network learnt from their images.",
    "train.curve.told": "Run {run}: training {train}, validation {val}.",
    # ----------------------------------------------------------------------------- a run
    "train.short_rate": "learning rate {lr}",
    "train.short_batch": "batches of {size}",
    "train.facts": "Epoch {epoch}, step {step} of {all}; {seen} images seen.",
    "train.last": "Validation: {val} right, loss {loss}.",
    "train.ended.nan": "Stopped: the loss is no longer a finite number.",
    "train.ended.failed": "Stopped: a step failed with {error}. The terminal shows where; Start again begins anew.",
    "train.ended.epochs": "Stopped after 200 epochs, the most that this page trains.",
    "train.rate": "learning rate from now on",
    "train.change": "Change",
    "train.keep": "Keep as a run folder",
    "train.kept": "Kept: {folder} holds what was learnt up to the last finished epoch. Open it with {command}",
    "train.filters": "Filters of the first layer",
    "train.filter_gradients": "Their gradients in the latest step",
    "train.filters_note": "Blue is positive, orange negative, each group on a scale of its own. Choose a filter "
    "to follow its middle weight below.",
    "train.choose_filter": "filter {filter}: follow its middle weight",
    "train.not_yet": "There is none before the first step.",
    "train.sizes": "Sizes, layer by layer",
    "train.sizes_note": "Root mean squares: the size of one weight, not of the whole layer, so that large "
    "layers do not look stronger. An update of about a thousandth of the weight is usual.",
    "train.sizes_caption": "Size of one number",
    "train.size.weight": "weight",
    "train.size.gradient": "gradient",
    "train.size.update": "update",
    "train.size.ratio": "update / weight",
    "train.dead_caption": "Dead ReLUs: 0 for each of 100 validation images",
    "train.size.dead": "dead",
    "train.size.units": "of",
    "train.digit": "What a digit does in it",
    "train.image": "validation image, a {name}",
    "train.maps": "{count} maps after {layer}",
    "train.which_digit": "validation image",
    "train.which_weight": "weight to follow",
    "train.place": "place, axis {axis}",
    "train.looked_at": "What is looked at",
    # -------------------------------------------------------------- the update, term by term
    "train.update": "One weight's latest update, term by term",
    "train.term.gradient": "the gradient",
    "train.term.step": "step",
    "train.term.new": "w − step",
    "train.term.held": "Worked out with 64 bits from what the optimizer held before. In the network, which "
    "keeps 32, the weight is now {after}.",
    # -------------------------------------------------------------------------------- hints
    "train.hint.nan.what": "The loss became NaN or infinite in step {step}.",
    "train.hint.nan.why": "A step was so long that the numbers left what float32 holds, and what is computed "
    "from NaN is NaN: from here nothing can be learnt. Start again with a tenth of the learning rate {lr}.",
    "train.hint.rises.what": "The loss rises: it is {last}, and has been {lowest}.",
    "train.hint.rises.why": "The gradient tells the slope only here; a long step along it ends on the opposite, "
    "higher side of the valley. Make the learning rate {lr} ten times smaller.",
    "train.hint.dead.what": "{dead} of {units} units of {layer} are dead.",
    "train.hint.dead.why": "They give 0 for every image, and where ReLU gives 0 it lets no gradient through, so "
    "they stay as they are. Usually too long a step pushed their biases far below 0. Start again with a smaller "
    "learning rate.",
    "train.hint.no_gradient.what": "No gradient reaches {name}.",
    "train.hint.no_gradient.why": "Its gradient is exactly 0: what it is multiplied with on the way, the "
    "layer's input or the weights above, is 0 everywhere. So this layer does not learn.",
    "train.hint.one_answer.what": "Each of 100 images gets the same answer, {answer}.",
    "train.hint.one_answer.why": "That is right for {share} of them, the share of this class, whatever is in "
    "the picture: the network has only learnt how often each class comes. Either it has hardly begun (the "
    "learning rate is too small), or nothing of the image gets through (dead units, weights of 0).",
    "train.hint.ahead.what": "Training is far ahead of validation: {train} against {val}.",
    "train.hint.ahead.why": "With {images} images the network can learn them by heart, and what it learns there "
    "does not help with others. Take more images, or stop earlier.",
    # -------------------------------------------------------------------------- experiments
    "train.experiments": "Experiments to try",
    "train.try": "Try it",
    "train.experiment.rate_one.name": "Learning rate 1",
    "train.experiment.rate_one.expect": "Adam moves each weight by about 1 in a step, ten times what most "
    "weights are. The loss jumps above its start, nearly all ReLUs die, and about one image in ten stays right.",
    "train.experiment.zeros.name": "All weights zero",
    "train.experiment.zeros.expect": "Every gradient is 0 but that of the last bias. All weights stay 0 for "
    "ever, and the network gives every image the same answer. The loss stays near ln 10 = 2.30.",
    "train.experiment.no_relu.name": "No ReLU",
    "train.experiment.no_relu.expect": "Often believed: without ReLU this network is linear. In fact max "
    "pooling is not linear either, and on digits run B learns about as well as run A.",
    "train.experiment.batch_of_one.name": "A batch of 1",
    "train.experiment.batch_of_one.expect": "Run B makes 64 steps for each of run A. Its loss jumps from step "
    "to step, as one image says little about all; after the same images it has learnt more, and has taken far "
    "longer.",
    "train.experiment.shuffled.name": "Labels shuffled",
    "train.experiment.shuffled.expect": "There is nothing to understand, but 100 images can be learnt by heart: "
    "training comes above 90 %, validation stays near 10 %, and its loss rises far above the start.",
    "train.experiment.few_images.name": "100 images",
    "train.experiment.few_images.expect": "Training comes to nearly 100 %, validation stays below 80 %: the gap "
    "is what was learnt by heart.",
    "train.experiment.adam_sgd.name": "Adam and SGD",
    "train.experiment.adam_sgd.expect": "Both have learning rate 0.001. Adam's step is about that long in every "
    "weight, SGD's is that times the gradient, some hundred times shorter: after four epochs Adam is above 80 "
    "%, SGD has hardly moved.",
    "train.experiment.momentum.name": "With and without momentum",
    "train.experiment.momentum.expect": "Both are SGD with learning rate 0.01. Under a steady gradient, "
    "momentum 0.9 makes the step ten times as long: run B falls while run A is still near 2.3.",
    # ---------------------------------------------------------------- what the server refuses
    "train.refused.data": "The bundled digits cannot be read: {why}",
    "train.refused.rate": "The learning rate must be above 0: with 0 nothing is learnt.",
    "train.refused.between": "{name} must be a number from {low} to {high}, got {value}.",
    "train.refused.runs": "runs must be a list of 1 to {most} settings.",
    "train.refused.unlike": "Two runs side by side must have the same task and the same images.",
    "train.refused.place": "place must be {count} whole numbers, a place in {name} {shape}.",
    "train.refused.no_run": "Nothing is being trained as run {run}: press Start again.",
    "train.refused.stopping": "The server is stopping.",
    "train.refused.write": "The run folder cannot be written into runs/, in the folder where the page was "
    "started: {why}.",
    "train.refused.no_relu": "A network without ReLU cannot be kept: whoever opens a run folder builds the "
    "network with its ReLUs.",
    "train.refused.no_epoch": "No epoch is finished yet, and a run folder holds the state after one: press One epoch.",
}
