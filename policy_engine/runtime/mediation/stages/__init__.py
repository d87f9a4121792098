"""The steps of a call, one a file, in the order of `mediation/pipeline.py`.

Each is `stage(call) -> Flow | None`: None when it is done, a flow when it needs the world. It raises `Refused`, or `Waiting`.
"""
