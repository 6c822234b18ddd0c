"""A folder to hand out: "implement conv2d forward and backward", with tests that grade it.

`requirements` decides what is asked for and what each costs, `skeleton` writes the file that
students fill in, `texts` holds every sentence in each language, `handout` what is copied.
"""
