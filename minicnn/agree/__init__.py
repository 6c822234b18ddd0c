"""Does this machine compute what torch computes? `python -m minicnn.agree` tries random
configurations of every operation.

`trials` draws them, each as the text of a small program; `judge` runs the text and
compares with torch in float64; `bounds` says how far apart two correct results may lie.
Nothing is tuned: a bound follows from the number of roundings.
"""
