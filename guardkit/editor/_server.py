"""The language server: binds the features of this room to the protocol, and decides when to look.

Texts change in order, on the event loop. What a text means is worked out in a thread, one document
at a time; a version that is no longer the last is not told. So an answer about the text at hand
never waits for a check.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from time import perf_counter
from typing import Any, cast

import anyio
import anyio.to_thread

from guardkit.diagnostics import Span
from guardkit.errors import BindError

from ._actions import Edit, actions, formatting
from ._commands import TestRunner, cost_of, run_tests
from ._complete import completions
from ._definition import definition
from ._document import Document
from ._findings import Finding, Findings, early_findings, findings
from ._grammar import grammar
from ._hover import hover
from ._lenses import RUN_TESTS, SHOW_COST, lenses
from ._positions import Encoding
from ._references import highlights, references
from ._rename import Refused, renamable, rename
from ._semantic_tokens import MODIFIERS, TYPES, encoded, semantic_tokens
from ._symbols import folds, symbols
from ._wire import Wire
from ._workspace import Workspace, path_of

SLOW_S = 0.03
"""A check that takes longer is preceded by what the syntax alone says."""
_SWITCH_S = 0.001
"""How long a check may keep an answer waiting for its turn on the interpreter."""


def serve_stdio(version: str, runner: TestRunner | None = None) -> int:
    """Serve one client over stdin and stdout until it ends the session.

    Whatever else prints in this process, a check of the policy under test for one, prints on
    stderr: stdout belongs to the protocol.

    Args:
        version: The version of guardkit.
        runner: Runs the tests of a policy.

    Returns:
        0 after a proper shutdown, else 1.

    Raises:
        BindError: The extra `lsp` is not installed.
    """
    bound = Bound(version, runner)
    sys.stdout.flush()
    with os.fdopen(os.dup(0), "rb") as stdin, os.fdopen(os.dup(1), "wb") as stdout:
        os.dup2(2, 1)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
        bound.server.start_io(stdin, stdout)
    return bound.exit_code


def serve_tcp(version: str, port: int, runner: TestRunner | None = None) -> int:
    """Serve one client over TCP, on this machine only, until it ends the session.

    Raises:
        BindError: The extra `lsp` is not installed.
        OSError: The port is taken.
    """
    bound = Bound(version, runner)
    with suppress(SystemExit):  # the library's way to end; the code is ours
        bound.server.start_tcp("127.0.0.1", port)
    return bound.exit_code


def _modules() -> tuple[Any, Any, Any]:
    """The protocol's server, its types and its errors."""
    try:
        return (
            import_module("pygls.lsp.server"),
            import_module("lsprotocol.types"),
            import_module("pygls.exceptions"),
        )
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise  # it is there, and lacks something of its own
        raise BindError(
            "the language server needs `pygls` 2: pip install 'guardkit[lsp]'"
        ) from None


class Bound:
    """One server and the client it serves."""

    def __init__(self, version: str, runner: TestRunner | None = None) -> None:
        module, types, self.errors = _modules()
        # It logs whatever a request was refused for, with a traceback; the client is told anyway.
        logging.getLogger("pygls").setLevel(logging.CRITICAL)
        sys.setswitchinterval(_SWITCH_S)
        self.types = types
        self.wire = Wire(types)
        self.workspace = Workspace()
        self.runner = runner
        self.known: dict[str, Findings] = {}
        self.failed: dict[str, tuple[str, tuple[Finding, ...]]] = {}
        """What failed in the last run of tests, and the text it was run on."""
        self.took_s: dict[str, float] = {}
        self.one_at_a_time: anyio.CapacityLimiter | None = None
        self.server = module.LanguageServer(
            "guardkit", version, types.TextDocumentSyncKind.Incremental
        )
        self._structured = self.server.protocol.structure_message
        self.server.protocol.structure_message = self._structure
        self._bind()

    def _structure(self, data: dict[str, Any]) -> Any:
        """A message by its type. A request that is none is answered: its client waits for it."""
        try:
            return self._structured(data)
        except self.errors.JsonRpcException as error:
            if "id" in data and "method" in data:
                self.server.protocol._send_response(data["id"], error=error.to_response_error())
            raise

    @property
    def exit_code(self) -> int:
        return 0 if self.server.protocol._shutdown else 1

    def _bind(self) -> None:
        types, add = self.types, self._add
        # The library keeps texts of its own, and counts lines as Python does, not as editors do.
        builtin = self.server.protocol.fm.builtin_features
        builtin[types.TEXT_DOCUMENT_DID_OPEN] = self._did_open
        builtin[types.TEXT_DOCUMENT_DID_CHANGE] = self._did_change
        builtin[types.TEXT_DOCUMENT_DID_CLOSE] = self._did_close
        add(types.INITIALIZE, self._initialize)
        add(types.INITIALIZED, self._initialized)
        add(types.WORKSPACE_DID_CHANGE_WATCHED_FILES, self._files_changed)
        add(types.TEXT_DOCUMENT_DID_SAVE, self._did_save)
        triggers = types.CompletionOptions(trigger_characters=[".", '"', "/"])
        add(types.TEXT_DOCUMENT_COMPLETION, self._completion, triggers)
        add(types.TEXT_DOCUMENT_HOVER, self._hover)
        add(types.TEXT_DOCUMENT_DEFINITION, self._definition)
        add(types.TEXT_DOCUMENT_REFERENCES, self._references)
        add(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, self._highlight)
        add(types.TEXT_DOCUMENT_PREPARE_RENAME, self._prepare_rename)
        add(types.TEXT_DOCUMENT_RENAME, self._rename, types.RenameOptions(prepare_provider=True))
        add(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL, self._symbols)
        add(types.TEXT_DOCUMENT_FOLDING_RANGE, self._folds)
        add(types.TEXT_DOCUMENT_FORMATTING, self._formatting)
        kinds = types.CodeActionOptions(code_action_kinds=["quickfix", "source.fixAll"])
        add(types.TEXT_DOCUMENT_CODE_ACTION, self._actions, kinds)
        add(types.TEXT_DOCUMENT_CODE_LENS, self._lenses)
        legend = types.SemanticTokensLegend(list(TYPES), list(MODIFIERS))
        add(types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, self._tokens, legend)
        self.server.command(RUN_TESTS)(partial(self._run_tests))
        self.server.command(SHOW_COST)(partial(self._show_cost))

    def _add(self, name: str, handler: Callable[..., Any], options: Any = None) -> None:
        # The library puts marks on what it is given, and a method takes none.
        self.server.feature(name, options)(partial(handler))

    # --- the session

    def _initialize(self, params: Any) -> None:
        codec = self.server.workspace.position_encoding
        self.workspace.encoding = cast(Encoding, getattr(codec, "value", codec))
        uris = [folder.uri for folder in params.workspace_folders or []]
        if not uris and params.root_uri:
            uris = [params.root_uri]
        self.workspace.folders = [path for uri in uris if (path := path_of(uri)) is not None]

    async def _initialized(self, _: Any) -> None:
        # The tables of the grammar take half a second, and the first completion wants them.
        await anyio.to_thread.run_sync(grammar)

    def _capability(self, *names: str) -> Any:
        found: Any = self.server.client_capabilities
        for name in names:
            found = getattr(found, name, None)
        return found

    @property
    def _versioned(self) -> bool:
        return bool(self._capability("workspace", "workspace_edit", "document_changes"))

    # --- texts

    def _did_open(self, params: Any) -> Iterator[Any]:
        item = params.text_document
        document = self.workspace.open(item.uri, item.version, item.text)
        yield self._look, (document.uri,), None

    def _did_change(self, params: Any) -> Iterator[Any]:
        item = params.text_document
        changes = self.wire.changes(params.content_changes)
        if self.workspace.change(item.uri, item.version, changes) is not None:
            yield self._look, (item.uri,), None

    def _did_close(self, params: Any) -> Iterator[Any]:
        uri = params.text_document.uri
        document = self.workspace.documents.get(uri)
        users = [] if document is None else self.workspace.users(document)
        self.workspace.close(uri)
        for kept in (self.known, self.failed, self.took_s):
            kept.pop(uri, None)
        self._send(uri, None, [])
        for user in users:
            yield self._look, (user.uri,), None

    async def _did_save(self, params: Any) -> None:
        await self._look(params.text_document.uri)

    async def _files_changed(self, _: Any) -> None:
        """A file that is not open changed on disk: any policy may use it."""
        for uri in list(self.workspace.documents):
            await self._look(uri, spread=False)

    # --- findings

    async def _look(self, uri: str, spread: bool = True) -> None:
        """Tell what is wrong with the last version of a document, and with those that use it."""
        workspace = self.workspace
        document = workspace.documents.get(uri)
        if document is None:
            return
        if self.took_s.get(uri, 0.0) > SLOW_S:
            self.known[uri] = early_findings(workspace, document, self.known.get(uri))
            self._publish(document)
        if self.one_at_a_time is None:
            self.one_at_a_time = anyio.CapacityLimiter(1)
        async with self.one_at_a_time:
            if workspace.documents.get(uri) is not document:
                return  # whoever made the newer version looks at it
            library = workspace.library(document)
            started = perf_counter()
            checked = await anyio.to_thread.run_sync(workspace.check, document, library)
            self.took_s[uri] = perf_counter() - started
        if workspace.documents.get(uri) is not document:
            return
        self.known[uri] = findings(workspace, document, checked.diagnostics)
        self._publish(document)
        if self._capability("workspace", "code_lens", "refresh_support"):
            self.server.workspace_code_lens_refresh(None)
        for user in workspace.users(document) if spread else ():
            await self._look(user.uri, spread=False)

    def _publish(self, document: Document) -> None:
        known = self.known.get(document.uri)
        made = [] if known is None else [self.wire.diagnostic(document, f) for f in known.found]
        text, failed = self.failed.get(document.uri, ("", ()))
        if text == document.text:
            made += [self.wire.diagnostic(document, f, "guardkit test") for f in failed]
        self._send(document.uri, document.version, made)

    def _send(self, uri: str, version: int | None, made: list[Any]) -> None:
        params = self.types.PublishDiagnosticsParams(uri=uri, diagnostics=made, version=version)
        self.server.text_document_publish_diagnostics(params)

    # --- questions

    def _asked(self, params: Any) -> tuple[Document, int] | None:
        """The document and the place a question is about."""
        document = self.workspace.documents.get(params.text_document.uri)
        if document is None:
            return None
        return document, document.lines.offset(self.wire.point(params.position))

    def _document(self, params: Any) -> Document | None:
        return self.workspace.documents.get(params.text_document.uri)

    def _completion(self, params: Any) -> Any:
        asked = self._asked(params)
        if asked is None:
            return None
        item = ("text_document", "completion", "completion_item", "snippet_support")
        found = completions(self.workspace, *asked)
        return self.wire.completions(asked[0], found, snippets=bool(self._capability(*item)))

    def _hover(self, params: Any) -> Any:
        asked = self._asked(params)
        return None if asked is None else self.wire.hover(asked[0], hover(self.workspace, *asked))

    def _definition(self, params: Any) -> Any:
        asked = self._asked(params)
        found = () if asked is None else definition(self.workspace, *asked)
        return [self.wire.location(place) for place in found] or None

    def _references(self, params: Any) -> Any:
        asked = self._asked(params)
        if asked is None:
            return None
        declarations = params.context.include_declaration
        found = references(self.workspace, *asked, declarations=declarations)
        return [self.wire.location(place) for place in found]

    def _highlight(self, params: Any) -> Any:
        asked = self._asked(params)
        found = () if asked is None else highlights(self.workspace, *asked)
        return [
            self.types.DocumentHighlight(self.wire.range(place.document.lines, place.span))
            for place in found
        ]

    def _prepare_rename(self, params: Any) -> Any:
        asked = self._asked(params)
        if asked is None:
            return None
        span, name = self._unless_refused(lambda: renamable(self.workspace, *asked))
        where = self.wire.range(asked[0].lines, span)
        return self.types.PrepareRenamePlaceholder(range=where, placeholder=name)

    def _rename(self, params: Any) -> Any:
        asked = self._asked(params)
        if asked is None:
            return None
        made = self._unless_refused(lambda: rename(self.workspace, *asked, params.new_name))
        edits: dict[str, tuple[Document, list[Edit]]] = {}
        for place in made.places:
            _, listed = edits.setdefault(place.document.uri, (place.document, []))
            listed.append(Edit(place.span, made.name))
        return self.wire.workspace_edit(edits.values(), versioned=self._versioned)

    def _unless_refused(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Refused as refusal:
            raise self.errors.JsonRpcInvalidRequest(str(refusal)) from None

    def _symbols(self, params: Any) -> Any:
        document = self._document(params)
        if document is None:
            return None
        return [self.wire.symbol(document, one) for one in symbols(document)]

    def _folds(self, params: Any) -> Any:
        document = self._document(params)
        return None if document is None else [self.wire.fold(one) for one in folds(document)]

    def _formatting(self, params: Any) -> Any:
        document = self._document(params)
        return None if document is None else self.wire.edits(document, formatting(document))

    def _actions(self, params: Any) -> Any:
        document = self._document(params)
        if document is None:
            return None
        span: Span = self.wire.span(document, params.range)
        found = actions(document, self.known.get(document.uri), span)
        only = params.context.only
        made = [self.wire.action(document, one, versioned=self._versioned) for one in found]
        return [one for one in made if not only or any(_is_of(one.kind, kind) for kind in only)]

    def _lenses(self, params: Any) -> Any:
        document = self._document(params)
        if document is None:
            return None
        return [self.wire.lens(document, one) for one in lenses(self.workspace, document)]

    def _tokens(self, params: Any) -> Any:
        document = self._document(params)
        if document is None:
            return None
        found = semantic_tokens(self.workspace, document)
        return self.types.SemanticTokens(data=encoded(document, found))

    # --- commands

    async def _run_tests(self, *arguments: Any) -> Any:
        document = self._named(arguments)
        if document is None:
            return None
        title = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], str) else None
        await self._look(document.uri, spread=False)
        document = self.workspace.documents.get(document.uri, document)
        tested = await anyio.to_thread.run_sync(
            run_tests, self.workspace, document, title, self.runner
        )
        bad = [one.finding for one in tested.ran if one.finding is not None]
        found = findings(self.workspace, document, bad).found
        self.failed[document.uri] = (document.text, found)
        if self.workspace.documents.get(document.uri) is document:
            self._publish(document)
        is_good = bool(tested.ran) and all(one.status == "passed" for one in tested.ran)
        self._tell(tested.said, 3 if is_good else 2)
        return {
            "said": tested.said,
            "tests": [
                {"name": one.name, "status": one.status, "summary": one.summary}
                for one in tested.ran
            ],
        }

    def _show_cost(self, *arguments: Any) -> Any:
        document = self._named(arguments)
        if document is None:
            return None
        told = cost_of(self.workspace, document)
        if told.table:
            kind = self.types.MessageType.Info
            self.server.window_log_message(self.types.LogMessageParams(kind, told.table))
        self._tell("\n".join(told.lines), 3)
        return {"lines": list(told.lines), "table": told.table}

    def _named(self, arguments: tuple[Any, ...]) -> Document | None:
        uri = arguments[0] if arguments else None
        return self.workspace.documents.get(uri) if isinstance(uri, str) else None

    def _tell(self, text: str, kind: int) -> None:
        params = self.types.ShowMessageParams(self.types.MessageType(kind), text)
        self.server.window_show_message(params)


def _is_of(kind: str, wanted: str) -> bool:
    """Whether a kind of action is one that was asked for: `source` takes `source.fixAll`."""
    return kind == wanted or kind.startswith(f"{wanted}.")
