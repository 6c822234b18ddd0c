"""`python -m benchmarks peers`: other libraries under the judge of `minicnn.agree`.

`adapters` has a file for each library, `cases` what surprises whoever moves a model.
Each peer is asked in a process of its own (`child`); `page` writes PEERS.md from what
they answered. requirements.txt says how they are installed.
"""
