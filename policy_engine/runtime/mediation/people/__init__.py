"""People who are asked: what they see, how they prove who they are, and where their questions stand.

`desk.py` is what the mediation calls. `rendering.py`, `spelling.py` and `page.py` make what a person sees, `sources.py` tells
where arguments come from, `statements.py` what an approver signs.
"""
