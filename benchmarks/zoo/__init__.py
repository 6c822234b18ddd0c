"""The zoo: layers of networks that people build, each beside the same layer of torch.

networks    which layers, by which rule
turns       both passes of both contenders, in turns
memory      what one call needs besides its arguments
run         a layer, from its data to its row
report      the rows as text
picture     the rows as dots
"""
