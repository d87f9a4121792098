"""Limits, timeouts, retries and breakers, as far as they need neither a store nor a clock: what is to be held, and what
follows when it is not. Called by the decisions and, through `Policy.bounds`, by the mediation."""
