"""The passes of the compiler between parsing and the artifact, one a file; `compiler/pipeline.py` lists them in order.

Each file declares the codes of its findings beside the check, in a tuple `CODES`. Nothing here reads files or clocks.
"""
