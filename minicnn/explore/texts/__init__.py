"""Every sentence of the page, one file for each language (`minicnn.messages`); a view with
many has a folder of its own in here.
"""
