"""From a picture to one digit, an idea a file: `files`, `sheet`, `ink`, `lines`,
`pieces`, `box`. `data.images` joins them.
"""
