"""One exchange, in steps: judge what goes in, call, judge what comes out, revise where asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic, perf_counter
from typing import Any, Literal, NamedTuple

from guardkit.errors import Blocked, UsageError
from guardkit.types import Ledger, Record, Verdict

from ._find_texts import MISSING, Lens, Source, Texts
from ._fresh import Judgements, Seen, digests_of
from ._guarding import Guarding, Restoring, Sources
from ._inject import inject
from ._judge import Judged, Turn, judge
from ._parts import Part, Reader, is_answer, is_asking, no_text, read_reply
from ._pseudonyms import Pseudonyms
from ._refuse import refuse
from ._revise import ask_again, draft_of
from ._steps import TIMED_OUT, Ask, Steps, Watch
from ._values import Path, member, put

Keys = Mapping[str, Any]
Args = tuple[Any, ...]
Collected = dict[str, list[str]]
Per = Callable[[Mapping[str, Any]], Any]
"""Works a value out of the arguments of a call."""
Tell = Callable[[Ledger], object]
"""Told what an exchange came to."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller chose."""

    on_block: Literal["raise", "reply"]
    on_hold: Literal["block", "wait"]
    within: float
    reply: Lens | None
    fixed: Keys
    """Context, session and tenant, where they are the same for every call."""
    per_call: Mapping[str, Per]
    """Those of them that are worked out of the arguments."""
    watch: Watch | None = None
    ledger: Tell | None = None


class Stopped(NamedTuple):
    """A block, where the caller chose to have it as a reply."""

    verdict: Verdict


class Prepared(NamedTuple):
    """A call that may be made."""

    args: Args
    kwargs: Mapping[str, Any]
    keys: Keys
    sources: Sources
    """What goes in, by surface, for checks of the reply that compare."""


class Read(NamedTuple):
    """A reply, read and judged."""

    reader: Reader
    judged: Judged
    pseudonyms: Pseudonyms | None

    def changes(self) -> dict[Path, Any]:
        """What has to be put in place of what before the reply may be shown."""
        changes: dict[Path, Any] = dict(self.judged.changes)
        if changes:
            changes |= dict.fromkeys(self.reader.drops)
        if self.pseudonyms is not None:
            for part in self.reader.parts:
                if part.kind == "text" and not part.is_fixed:
                    said = changes.get(part.path, part.text)
                    if (given := self.pseudonyms.undone(said)) != said:
                        changes[part.path] = given
        return changes


@dataclass(frozen=True, slots=True)
class Exchange:
    """The steps for one wrapped callable."""

    guard: Guarding
    texts: Texts
    options: Options
    injected: Source | None
    """The argument that takes the system prompt; None where none is put in."""
    refusal: Callable[[str], Any]
    """Makes a reply of a message, for a block before there is a reply."""
    judgements: Judgements = field(default_factory=Judgements)

    # --- what goes in

    def keys(self, args: Args, kwargs: Mapping[str, Any]) -> Keys:
        """Context, session and tenant of a call."""
        options = self.options
        if not options.per_call:
            return options.fixed
        call = self.texts.named(args, kwargs)
        worked_out = {name: per(call) for name, per in options.per_call.items()}
        return {**options.fixed, **{k: v for k, v in worked_out.items() if v is not None}}

    def prepare(
        self, args: Args, kwargs: Mapping[str, Any], first: Verdict | None = None
    ) -> Steps[Prepared | Stopped]:
        """Judge a call. A block is raised, or given back as `Stopped`."""
        keys = self.keys(args, kwargs)
        sources: dict[str, list[str]] = {}
        turn = Turn()
        for source in self.texts.of(kwargs):
            value = source.get(args, kwargs)
            if value is MISSING or (value is None and source.role != "text"):
                if source.role == "text" and source.place is not None:
                    self.texts.signature.bind(*args, **kwargs)  # raises what the callable would
                continue
            if source.role == "text":
                _refuse_numbers(value, source.field or source.name)
            new = yield from self._judged(source, value, keys, sources, turn, first)
            first = None
            if isinstance(new, Stopped):
                return new
            if new is not value:
                args, kwargs = source.put(args, kwargs, new)
        if self.texts.lens is not None:
            made = yield from self._through_lens(args, kwargs, keys, sources, turn)
            if isinstance(made, Stopped):
                return made
            args, kwargs = made
        if self.injected is not None:
            session = keys.get("session")
            guard = self.guard
            if session is None:
                prompt = guard.system_prompt
            else:
                prompt = guard.system_prompt_for(session, tenant=keys.get("tenant") or "")
            args, kwargs = inject(prompt, self.injected, args, kwargs)
        return Prepared(args, kwargs, keys, sources)

    def _judged(
        self,
        source: Source,
        value: Any,
        keys: Keys,
        sources: Collected,
        turn: Turn,
        first: Verdict | None,
    ) -> Steps[Any]:
        """The value as it may go on, or `Stopped`."""
        # Only messages say as what they are to be judged: a tool's schema has fields of any name.
        reader = Reader(has_roles=source.role in ("text", "documents"))
        session = keys.get("session")
        if session is not None and source.role == "text" and isinstance(value, list | tuple):
            new = yield from self._new_messages(reader, value, keys, session, turn)
            _collect(sources, reader.parts)
            return new
        reader.read(value, (), source.surface)
        _collect(sources, reader.parts)
        judged = yield from judge(reader.parts, keys, turn=turn, waits=self._waits, first=first)
        return self._changed(value, judged)

    def _new_messages(
        self, reader: Reader, messages: Any, keys: Keys, session: str, turn: Turn
    ) -> Steps[Any]:
        by_message: list[list[Part]] = []
        for place, message in enumerate(messages):
            begin = len(reader.parts)
            reader.read(message, (place,))
            by_message.append(reader.parts[begin:])
        digests = digests_of(by_message, keys.get("context"))
        key = (keys.get("tenant") or "", session)
        known = self.judgements.known(key, (each for both in digests for each in both))
        # What came after the last answer is said now, even where it was said before.
        said = next((i for i in reversed(range(len(messages))) if is_answer(messages[i])), 0)
        counted = [
            each.place in known or (i < said and each.own in known)
            for i, each in enumerate(digests)
        ]
        # A call that only brings what tools gave goes on with the turn of its last question.
        asks = zip(messages, counted, strict=True)
        if not any(is_asking(each) for each, is_counted in asks if not is_counted):
            turn.is_begun = True
        changes: dict[Path, Any] = {}
        went: Seen = {}
        policy: str = getattr(self.guard, "digest", "")
        for parts, digest, again in zip(by_message, digests, counted, strict=True):
            went[digest.own] = None
            if known.get(digest.place) == policy:
                went[digest.place] = policy
            else:
                judged = yield from judge(parts, keys, turn=turn, waits=self._waits, again=again)
                if (verdict := judged.ends) is not None:
                    return self.block(verdict)
                changes |= judged.changes
                went[digest.place] = None if judged.changes else policy
        self.judgements.note(key, went)
        return put(messages, changes)

    def _through_lens(
        self, args: Args, kwargs: Mapping[str, Any], keys: Keys, sources: Collected, turn: Turn
    ) -> Steps[tuple[Args, Mapping[str, Any]] | Stopped]:
        lens = self.texts.lens
        assert lens is not None
        bound = self.texts.bound(args, kwargs)
        texts = _texts_of(lens.get(bound.arguments), "text=")
        parts = [Part("text", "input", text, (place,)) for place, text in enumerate(texts)]
        _collect(sources, parts)
        judged = yield from judge(parts, keys, turn=turn, waits=self._waits)
        new = self._changed(texts, judged)
        if isinstance(new, Stopped):
            return new
        if new is texts:
            return args, kwargs
        if lens.set is None:
            raise UsageError(
                "a rule rewrites the text, and `text=` cannot put it back: give a `Lens(get, set)`"
            )
        bound.arguments.update(lens.set(bound.arguments, new))
        return bound.args, bound.kwargs

    @property
    def _waits(self) -> bool:
        return self.options.on_hold == "wait"

    def _changed(self, value: Any, judged: Judged) -> Any:
        if (verdict := judged.ends) is not None:
            return self.block(verdict)
        return put(value, judged.changes)

    # --- what comes out

    def whole(
        self, args: Args, kwargs: Mapping[str, Any], first: Verdict | None = None
    ) -> Steps[Any]:
        """A whole exchange. A stream comes back as the callable gave it, with its `Prepared`."""
        prepared = yield from self.prepare(args, kwargs, first)
        if isinstance(prepared, Stopped):
            return self.refusal(prepared.verdict.text)
        result = yield Ask("call", prepared.args, prepared.kwargs)
        return (yield from self.deliver(result, prepared))

    def deliver(self, result: Any, prepared: Prepared, first: Verdict | None = None) -> Steps[Any]:
        """Judge a reply: the reply that may be shown, a copy where anything changed."""
        if is_stream(result):
            return Streamed(result, prepared)
        read = yield from self._judge_reply(result, prepared, first)
        judged = read.judged
        if judged.stop is not None:
            if judged.part is not None and judged.part.is_fixed and len(judged.part.path) == 1:
                # The very names of its fields are blocked.
                return self.refusal(self.block(judged.stop).verdict.text)
            return self._refused(judged.stop, result)
        if judged.revise is not None:
            made = yield from self._revise(judged.revise, read.reader, prepared)
            if isinstance(made, Verdict):
                if made.action != "revise" or judged.fallback is not None:
                    return self._refused(made, result)
                self.tell(made)
            else:
                return made
        return self._shown(result, read)

    def _judge_reply(
        self, result: Any, prepared: Prepared, first: Verdict | None = None
    ) -> Steps[Read]:
        lens = self.options.reply
        if lens is None:
            reader = read_reply(_readable(result))
        else:
            reader = Reader(is_reply=True)
            reader.read(_texts_of(lens.get(result), "reply="))
        pseudonyms = self.pseudonyms(reader, prepared.keys)
        judged = yield from judge(
            reader.parts,
            prepared.keys,
            sources=prepared.sources,
            waits=self._waits,
            first=first,
        )
        return Read(reader, judged, pseudonyms)

    def _revise(self, verdict: Verdict, reader: Reader, prepared: Prepared) -> Steps[Any]:
        """A reply that every output rule lets pass, or the verdict that ends the rounds."""
        until = monotonic() + self.options.within
        principle = self.guard.principle(verdict.principle or "")
        records: list[Record] = []
        last = verdict
        for number in range(1, verdict.rounds + 1):
            left = until - monotonic()
            again = ask_again(
                self.texts, prepared.args, prepared.kwargs, principle, draft_of(reader)
            )
            if left <= 0 or again is None:
                break
            began = perf_counter()
            result = yield Ask("call_within", (left, *again), {})
            if result is TIMED_OUT or is_stream(result):
                records.append(_round(number, verdict, None, began))
                break
            read = yield from self._judge_reply(result, prepared)
            records.append(_round(number, verdict, read.judged, began))
            if read.judged.stop is not None:
                last = read.judged.stop
                break
            if read.judged.revise is None:
                self.tell(verdict._replace(records=(*verdict.records, *records)))
                return self._shown(result, read)
            reader = read.reader
        # A round that ends in a stronger verdict speaks for itself, else the first one does.
        ended = last if last.action != "revise" else verdict
        return ended._replace(records=(*ended.records, *records))

    def _shown(self, result: Any, read: Read) -> Any:
        changes = read.changes()
        lens = self.options.reply
        if lens is None or not changes:
            return put(result, changes)
        if lens.set is None:
            raise UsageError(
                "a rule rewrites the reply, and `reply=` cannot put it back: "
                "give a `Lens(get, set)`"
            )
        return lens.set(result, put(_texts_of(lens.get(result), "reply="), changes))

    def pseudonyms(self, reader: Reader, keys: Keys) -> Pseudonyms | None:
        """Those that a reply names; None without a session."""
        session = keys.get("session")
        if session is None:
            return None
        tenant = keys.get("tenant") or ""
        return Pseudonyms(
            lambda name: self.guard.restore(name, session=session, tenant=tenant), reader.parts
        )

    def restorer(self, keys: Keys) -> Restoring | None:
        """Undoes the pseudonyms given out so far; None without a session."""
        session = keys.get("session")
        if session is None:
            return None
        return self.guard.restorer(session, tenant=keys.get("tenant") or "")

    # --- blocks

    def block(self, verdict: Verdict) -> Stopped:
        """A block as the caller wants it.

        Raises:
            Blocked: That is what the caller wants.
        """
        self.tell(verdict)
        if self.options.on_block == "raise":
            raise Blocked(verdict)
        return Stopped(verdict)

    def tell(self, verdict: Verdict) -> None:
        """Tell whoever watches."""
        if self.options.watch is not None:
            self.options.watch(verdict)

    def _refused(self, verdict: Verdict, result: Any) -> Any:
        return refuse(result, self.block(verdict).verdict.text, self.options.reply)


class Streamed(NamedTuple):
    """A stream that the callable gave back, still to be guarded."""

    stream: Any
    prepared: Prepared


def is_stream(value: Any) -> bool:
    """Whether a result comes piece by piece."""
    kind = type(value)
    if kind is str or hasattr(kind, "model_fields"):
        return False
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__") or _is_source(value, kind)


def _is_source(value: Any, kind: type) -> bool:
    """An SDK's stream: iterable, and neither a container nor a reply."""
    if hasattr(kind, "__aiter__"):
        return True
    return (
        hasattr(kind, "__iter__")
        and not hasattr(kind, "__len__")
        and not hasattr(kind, "__getitem__")
        and member(value, "choices") is None
    )


def _refuse_numbers(value: Any, name: str) -> None:
    """Numbers may be tokens, bytes may be anything: what is no text is never let through."""
    if (kind := no_text(value)) is not None:
        raise UsageError(f"`{name}` has to be text or messages, and is a `{kind}`")


def _readable(result: Any) -> Any:
    if (kind := no_text(result)) is not None:
        raise UsageError(
            f"the callable gave back a `{kind}`, which holds no text to judge: "
            "say how with `reply=`"
        )
    return result


def _texts_of(found: str | Iterable[str], option: str) -> list[str]:
    texts = [found] if isinstance(found, str) else found
    if isinstance(texts, bytes | Mapping) or not isinstance(texts, Iterable):
        raise UsageError(f"`{option}` has to give texts, and gave a `{type(found).__qualname__}`")
    made = list(texts)
    for text in made:
        if not isinstance(text, str):
            raise UsageError(
                f"`{option}` has to give texts, and gave a `{type(text).__qualname__}`"
            )
    return made


def _collect(sources: Collected, parts: Iterable[Part]) -> None:
    for part in parts:
        if part.kind == "text":
            sources.setdefault(part.surface, []).append(part.text)


def _round(number: int, verdict: Verdict, judged: Judged | None, began: float) -> Record:
    """A line of the ledger; `judged` is None where no reply came that can be judged."""
    took = (perf_counter() - began) * 1e6
    outcome = "unknown" if judged is None else judged.action
    return Record("model", f"revision {number} by {verdict.principle}", outcome, took)
