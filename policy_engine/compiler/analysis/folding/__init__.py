"""Questions about history that are answered from state kept per call, recognised while a policy is built.

`conjuncts` tells what one test is about, `shapes` which expressions fold, `folder` puts questions in their place and
gathers the tracks. What is not recognised stays as it is written, and goes through the calls.
"""
