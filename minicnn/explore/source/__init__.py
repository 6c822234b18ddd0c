"""View "Source": a function's real lines, and what each name holds at each of them.

subjects   what can be walked through, on the layer bench's numbers
record     runs it and keeps copies of all values, line by line
lines      a file as statements, loops and coloured pieces
notation   what names mean; shapes in letters; the formula's part that a line computes
walk       the recording as JSON
"""
