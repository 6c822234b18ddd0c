"""View "Train": a network learns while the page looks on.

setting      what is asked for, checked and bounded
learner      one run: its steps, its epochs, how it ends
curve        loss and accuracy on the way, in a bounded number of points
trainer      the one thread that all learning and all looking happens in
look         what is seen: sizes, dead units, filters, activations of a digit
update       the optimizer's step of one weight, term by term
hints        what goes wrong, and by which numbers that is noticed
experiments  eight settings to try; a test trains each
keep         a run folder of what was learnt
addresses    which requests there are
"""
