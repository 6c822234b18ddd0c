"""What is copied into the folder that is handed out: these files know nothing of minicnn."""
