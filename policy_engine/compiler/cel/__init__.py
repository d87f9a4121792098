"""The front end of CEL: text to tree (`parser`, with the callbacks of `grammar/cel.lark` in `builder`), tree to types
(`checker`). Called by the policy language, the compiler's pipeline and the façade `policy_engine.cel`.
"""
