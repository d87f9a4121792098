"""What is found out about a policy once it is parsed: one pass a file, put in order by `compiler/pipeline.py`."""
