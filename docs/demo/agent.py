"""A scripted LangChain agent at the bank, through a mediator that keeps everything in one SQLite file.

The script is that of an agent that obeys whatever it reads. Calls are allowed, rewritten, tried again, redacted, refused with
a hint and mended, approved by a person with a key of her own, stopped by a limit and by a deadline.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from docs.demo.bank import BILL, EXECUTED, FIRST_TURN, PROMPT, SECOND_TURN, TOOLS, Line, ScriptedModel
from policy_engine import Agent, Mediator, Principal, load
from policy_engine.assembly.approver_keys import ApproverKey, new_key, read_key, write_key
from policy_engine.assembly.approvers import Approver, Approvers
from policy_engine.cli import terminal
from policy_engine.cli.approval_store import questions_of
from policy_engine.runtime.mediation.people.statements import statement_of
from policy_engine.runtime.ports.approvals import Answer
from policy_engine_adapters.langchain import guarded

POLICY = Path(__file__).with_name("bank.policy")
MAIN = (sys.executable, "-c", "from policy_engine.cli import main; main()")


def show() -> None:
    """Run the agent, print what became of each call, then what the record says."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state.db"
        key, approvers = _approver(Path(folder))
        with Mediator(load(POLICY), f"sqlite:///{state}", approvers=approvers) as mediator:
            _converse(mediator, state, key)
        for question in ("verify", "stats"):
            print(terminal.styled("strong", f"\n$ policy audit {question} state.db"), flush=True)
            subprocess.run([*MAIN, "audit", question, "state.db"], cwd=folder, check=True)


def _converse(mediator: Mediator, state: Path, key: ApproverKey) -> None:
    middleware = guarded(mediator, principal=Principal(id="emma"), agent=Agent(id="clerk", model="script", prompt_version="1"))
    agent = create_agent(ScriptedModel(), list(TOOLS), middleware=[middleware], checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "emma-1"}}
    EXECUTED.clear()
    print(f"user:   {PROMPT}\nbill:   {BILL}\n")
    _tell(FIRST_TURN, 0, agent.invoke({"messages": [HumanMessage(PROMPT)]}, config)["messages"], EXECUTED)
    before = len(EXECUTED)
    _approve(state, key)
    answered = agent.invoke({"messages": [HumanMessage("Security said yes, go on.")]}, config)["messages"]
    _tell(SECOND_TURN, len(FIRST_TURN), answered, EXECUTED[before:])
    middleware.close()
    sent = [args for tool, args in EXECUTED if tool == "send_money"]
    print(f"\nWhat left the account: {sent}")


def _tell(lines: tuple[Line, ...], first: int, messages: list[Any], reached: list[tuple[str, dict[str, Any]]]) -> None:
    """What became of each line of a turn."""
    answers = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    done = list(reached)
    for turn, line in enumerate(lines, first):
        if line.tool is None:
            print(f"agent says: {line.doing}\n")
            continue
        shown = ", ".join(f"{name}={value}" for name, value in line.args.items() if name not in ("subject", "date"))
        print(f"agent {line.doing}: {line.tool}({shown})")
        style, word, why = _became(line, answers[f"call-{turn}"], done)
        print(f"  {terminal.styled(style, f'{word:<10}')} {why}".rstrip())


def _became(line: Line, answer: ToolMessage, done: list[tuple[str, dict[str, Any]]]) -> tuple[str, str, str]:
    told = answer.artifact.get("policy") if isinstance(answer.artifact, dict) else None
    tries = 0
    made: dict[str, Any] = {}
    if told is None or told["phase"] == "result":
        while done and done[0][0] == line.tool and (tries == 0 or line.tool == "get_balance"):
            made, tries = done.pop(0)[1], tries + 1
    if told is not None:
        if told["effect"] == "escalate":
            return "warn", "asks", answer.text
        return "bad", "timed out" if tries else "limited" if "bank/payments" in told["rules"] else "refused", answer.text
    changed = [f"{name} became {value}" for name, value in made.items() if line.args.get(name) != value]
    if changed:
        return "warn", "rewritten", ", ".join(changed)
    if tries > 1:
        return "good", "retried", f"{tries} tries, then {answer.text}"
    if "****" in answer.text:
        return "warn", "redacted", answer.text
    return "good", "allowed", ""


# ------------------------------------------------------------------ the person
def _approver(folder: Path) -> tuple[ApproverKey, Approvers]:
    """Sara of the bank's security, with a key as `policy keys new` makes one."""
    passphrase = uuid4().hex
    content, public = new_key("sara", passphrase)
    write_key(folder / "sara.key", content)
    return read_key(folder / "sara.key").unlock(passphrase), Approvers([Approver("sara", public, frozenset(("security",)), {})])


def _approve(state: Path, key: ApproverKey) -> None:
    """As `policy approvals approve` does: sign the question, its digest and all that was shown."""
    store = questions_of(f"sqlite:///{state}")
    (question,) = [one for one in store.list() if one.queue == "security"]
    said = Answer(uuid4().hex, question.id, question.queue, "approved", key.approver, time.time_ns(), b"")
    store.answer(replace(said, signature=key.sign(statement_of(question, said))))
    print(f"sara of security is asked: {question.shown['tool']} by {question.rule}")
    word = terminal.styled("good", "approved  ")
    print(f"  {word} signed with her key, as `policy approvals approve {question.id[:8]}` does\n")
