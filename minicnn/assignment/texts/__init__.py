"""Every sentence that students read, one file for each language (`minicnn.messages`)."""
