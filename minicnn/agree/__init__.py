"""Does this machine compute what torch computes? `python -m minicnn.agree` tries random
configurations of every operation.

`trials` draws them, `programs` makes each the text of a small program, `judge` runs the
text and compares with torch in float64; `bounds` says how far apart two correct results
may lie.
Nothing is tuned: a bound follows from the number of roundings.

With `--of`, somebody else's functions are judged: `subject` finds them and reads their
signatures, `questions` draws what they are asked (through `choices`, so that it can
shrink) and knows the right answer, `verdicts` compares, `variants` holds what the usual
mistakes compute, `words` says it, `of` is the command.
"""
