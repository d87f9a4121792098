"""State kept of calls as they come, from which questions about history are answered without going through them.

`buckets` holds rows of calls, `tracks` sorts a call into them, `answers` asks them, `state` is all of one run. The
tracks and questions are the compiler's (`semantics/artifact.FoldPlan`). Every answer is that of the question's template
over the calls; where the state cannot know it, the template is evaluated, within the bound on scanned calls.
"""
