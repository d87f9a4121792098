"""The mediation layer: one call on its way from the agent to the tool and back.

`pipeline.py` shows the way on one screen, `stages/` has one step a file. Pure: a stage that wants something of the world
(run the tool, wait) yields an effect, and a driver in `assembly/mediating` does it, in threads or in tasks. So sync and async
hosts share every line here, and a stage that hangs can be left behind: what is never resumed never executes anything.
"""
