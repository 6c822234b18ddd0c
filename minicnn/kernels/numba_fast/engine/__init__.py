"""What the kernels run on: compiled code and its files, registers, instructions,
threads, memory.
"""
