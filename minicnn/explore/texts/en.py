"""The page in English."""

TEXTS = {
    # ------------------------------------------------------------------------ the frame
    "page.lang": "en",
    "page.other": "pt-BR",
    "page.other_name": "Português",
    "number.thousand": "1,000",  # what stands after the 1 separates thousands everywhere
    "page.skip": "Skip to the content",
    "page.views": "Views",
    "page.noscript": "This page draws with JavaScript, which is switched off.",
    "page.foot": "Served on this machine by `python -m minicnn.explore`; nothing is loaded from elsewhere.",
    "page.no_answer": "The server does not answer. Is `python -m minicnn.explore` still running?",
    "page.light": "Light",
    "page.dark": "Dark",
    "page.switch_to_light": "Switch to light colours",
    "page.switch_to_dark": "Switch to dark colours",
    "copy.copied": "Copied",
    "copy.by_hand": "Mark the text and copy it",
    # ------------------------------------------------------------- the views, by name
    "bench.title": "Layer bench",
    "bench.lead": "One layer on a few numbers. Point at a number, or move to it with Tab and the arrow keys, "
    "to see what it is made of; type into a cell to change it. Every number is computed by minicnn.",
    "source.title": "Source",
    "source.lead": "The real source of minicnn, read from the files that run, with your numbers in it: left the "
    "line, right what every name holds once that line has run. The numbers are the layer bench's.",
    "channels.title": "Channels",
    "channels.lead": "A convolution looks at each input channel with a kernel of its own, and adds what it finds. "
    "Here the sum is taken apart again. With groups, an output channel sees only some of the inputs.",
    "matrix.link": "As a matrix",
    "matrix.title": "Convolution as a matrix",
    "matrix.lead": "Write the pixels of an image below each other, and a convolution is one large matrix, mostly "
    "zero, with the few weights repeated in every row. Its transpose is what ConvTranspose2d computes.",
    "run.title": "My run",
    "costs.link": "Time and parameters",
    "costs.title": "Where the time and the parameters are",
    "costs.lead": "Parameters are what is stored and learnt; multiply-adds are the work for one image. They are not "
    "in the same layers. Bytes are what forward keeps until backward; the last column says how many rows × columns "
    "of the image one output sees.",
    # ------------------------------------------------------------ what the server refuses
    "server.no_run": "No run is open. Train one with `python -m minicnn.train`, then start this page with "
    "`python -m minicnn.explore --run runs/simplecnn-seed0`.",
    "server.unreadable": "{file} cannot be read: {why}.",
    "server.a_file": "A file",
    "server.failed": "The server failed at this request; its terminal shows where. Please report it.",
}
