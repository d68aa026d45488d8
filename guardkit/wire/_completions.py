"""OpenAI's plain completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ._asked import Asked, take_apart
from ._chat import MOST_CHOICES, PLAIN, WORDS, ChatEvents
from ._dialect import Context, Event, Events, Family, Send, Unreadable, fault_body
from ._fault import Fault
from ._fields import want, want_number
from ._reading import listed, parted

# fmt: off
KNOWN = frozenset({
    "model", "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n",
    "presence_penalty", "seed", "stop", "stream", "stream_options", "suffix", "temperature",
    "top_p", "user",
})
# fmt: on


def want_prompt(body: Mapping[str, Any], name: str) -> Any:
    """A text, or several.

    Raises:
        Fault: There is none, or it is written in tokens.
    """
    prompt = want(body, name, str, list, needed=True)
    if isinstance(prompt, list) and not (prompt and all(type(each) is str for each in prompt)):
        message = f"`{name}` has to be a text or a list of texts: tokens cannot be judged"
        raise Fault(400, "not_a_text", message)
    return prompt


class Completions:
    """`/v1/completions`."""

    name: ClassVar[str] = "completions"
    path: ClassVar[str] = "/v1/completions"
    family: ClassVar[Family] = "openai"
    text: ClassVar[tuple[str, ...]] = ("prompt",)
    ends_with_done: ClassVar[bool] = True
    context: ClassVar[Context] = "prompt"
    can_refuse: ClassVar[bool] = True

    def ask(self, body: Mapping[str, Any], *, strict: bool) -> Asked:
        prompt = want_prompt(body, "prompt")
        want(body, "model", str, needed=True)
        want_number(body, "n", 1, MOST_CHOICES)
        want_number(body, "best_of", 1, MOST_CHOICES)
        return take_apart(body, {"prompt": prompt}, KNOWN, strict=strict)

    def call(self, send: Send) -> Callable[..., Any]:
        def call(prompt: Any, other_text: Any, about: Any) -> Any:
            # There is no other place for the context layer than in front.
            given = about.prompt
            if given:
                asked = prompt if isinstance(prompt, list) else [prompt]
                told = [f"{given}\n\n{each}" for each in asked]
                prompt = told if isinstance(prompt, list) else told[0]
            return send(about, {"prompt": prompt}, other_text)

        return call

    def reply(self, reply: Mapping[str, Any], asked: Asked) -> tuple[dict[str, Any], Event]:
        choices = listed(reply, "choices")
        if not choices or any(type(each.get("text")) is not str for each in choices):
            raise Unreadable
        judged, head = parted(reply, WORDS, PLAIN)
        return judged, head

    def refusal(self, message: str, asked: Asked, decision: str) -> Event:
        events = ChatEvents(asked, decision, "text_completion").refusal(message)
        said = events[::2]
        choices = [
            {**each["choices"][0], "finish_reason": "content_filter", "logprobs": None}
            for each in said
        ]
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        return {**said[0], "choices": choices, "usage": usage}

    def events(self, asked: Asked, decision: str) -> ChatEvents:
        return ChatEvents(asked, decision, "text_completion")

    def kind(self, event: Event) -> str:
        return ""

    def fault(self, fault: Fault, decision: str, events: Events | None) -> tuple[str, Event]:
        return "", fault_body(self.family, fault, decision)
