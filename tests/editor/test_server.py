"""The language server over real pipes: a session as an editor has it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from guardkit.diagnostics import Source
from guardkit.syntax import format_source

from ._client import ROOT, START, Client, Json, ServerError, place_of
from ._desk import HEAD

TEXT = HEAD + '\ntest "polite" {\n  input  "good morning"\n  expect pass\n}\n'
URI = "untitled:desk"


def is_clean(found: list[Json]) -> bool:
    return not any(one["severity"] == 1 for one in found)


def span_text(text: str, range: Json) -> str:
    """A range of a text in UTF-16 units, cut without any of our code."""
    lines = text.split("\n")
    start, end = range["start"], range["end"]
    assert start["line"] == end["line"]
    units = lines[start["line"]].encode("utf-16-le")
    return units[2 * start["character"] : 2 * end["character"]].decode("utf-16-le")


def test_a_session_from_opening_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "desk.guard"
    path.write_text(TEXT, encoding="utf-8")
    uri = path.as_uri()
    with Client(folder=tmp_path) as client:
        assert client.capabilities["positionEncoding"] == "utf-16"
        client.open(uri, TEXT)
        assert is_clean(client.findings(uri, 1))

        line, column = place_of(TEXT, "near >= limit")
        version = client.type(uri, line, column, "neer", 4)
        found = client.findings(uri, version, lambda all: any(o["code"] == "GK201" for o in all))
        (wrong,) = [one for one in found if one["code"] == "GK201"]
        assert "did you mean `near`" in wrong["message"]
        assert wrong["source"] == "guardkit"
        version = client.type(uri, line, column, "near", 4)
        assert is_clean(client.findings(uri, version, is_clean))

        items = client.at("completion", uri, line, column)["items"]
        assert {"near", "pii.any", "not"} <= {item["label"] for item in items}
        assert items[0]["textEdit"]["range"]["start"] == {"line": line, "character": column}

        said = client.at("hover", uri, line, column + 1)["contents"]["value"]
        assert "**check** `near`" in said

        (place,) = client.at("definition", uri, line, column)
        assert span_text(TEXT, place["range"]) == "near"
        uses = client.at("references", uri, line, column, context={"includeDeclaration": True})
        assert [span_text(TEXT, use["range"]) for use in uses] == ["near", "near"]
        assert len(client.at("documentHighlight", uri, line, column)) == 2

        assert client.at("prepareRename", uri, line, column)["placeholder"] == "near"
        edit = client.at("rename", uri, line, column, newName="close_by")
        (change,) = edit["documentChanges"]
        assert change["textDocument"] == {"uri": uri, "version": version}
        assert {one["newText"] for one in change["edits"]} == {"close_by"}
        with pytest.raises(ServerError, match="is taken"):
            client.at("rename", uri, line, column, newName="limit")

        assert [s["name"] for s in client.about("documentSymbol", uri)][-1] == "polite"
        assert client.about("foldingRange", uri)
        assert len(client.about("semanticTokens/full", uri)["data"]) % 5 == 0
        options = {"tabSize": 2, "insertSpaces": True}
        assert client.about("formatting", uri, options=options)
        titles = [one["command"]["title"] for one in client.about("codeLens", uri)]
        assert "run the test" in titles
        assert any(one["method"] == "workspace/codeLens/refresh" for one in client.said)
        assert any(title.startswith("input: at worst") for title in titles)

        ran = run(client, "guardkit.runTests", uri)
        assert ran["tests"] == [{"name": "polite", "status": "passed", "summary": ""}]
        assert "surface" in run(client, "guardkit.showCost", uri)["table"]

        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        assert client.about("documentSymbol", uri) is None


def run(client: Client, command: str, *arguments: str) -> Any:
    params = {"command": command, "arguments": list(arguments)}
    return client.request("workspace/executeCommand", params)


def test_formatting_over_the_wire_is_that_of_fmt() -> None:
    with Client() as client:
        client.open(URI, TEXT)
        text = TEXT
        edits = client.about("formatting", URI, options={"tabSize": 2, "insertSpaces": True})
        lines = text.splitlines(keepends=True)
        for edit in reversed(edits):
            first, last = edit["range"]["start"], edit["range"]["end"]
            assert (first["character"], last["character"]) == (0, 0)
            lines[first["line"] : last["line"]] = [edit["newText"]]
        assert "".join(lines) == format_source(Source("p", TEXT))


@pytest.mark.parametrize(
    ("encodings", "chosen", "unit"),
    [
        (None, "utf-16", "utf-16-le"),
        (["utf-8", "utf-16"], "utf-8", "utf-8"),
        (["utf-32"], "utf-32", "utf-32-le"),
        (["latin-1", "utf-16"], "utf-16", "utf-16-le"),
    ],
)
def test_positions_are_counted_as_agreed(
    encodings: list[str] | None, chosen: str, unit: str
) -> None:
    size = {"utf-16-le": 2, "utf-8": 1, "utf-32-le": 4}[unit]

    def units(text: str) -> int:
        return len(text.encode(unit)) // size

    before = '  then block "👩🏽‍🚀 é 𝄞 '
    text = HEAD.replace('  then block "Please stay calm."', f'{before}" when neer')
    with Client(encodings=encodings) as client:
        assert client.capabilities["positionEncoding"] == chosen
        client.open(URI, text)
        client.findings(URI, 1, lambda all: not is_clean(all))
        line = text[: text.index(before)].count("\n")
        whole = text.split("\n")[line]
        # What stands behind the astral characters is taken away and typed again by its columns.
        start, end = units(whole[: whole.index(" when")]), units(whole)
        version = client.type(URI, line, start, "", end - start)
        assert is_clean(client.findings(URI, version, is_clean))
        version = client.type(URI, line, start, " on_errr")
        found = client.findings(URI, version, lambda all: not is_clean(all))
        error = next(one for one in found if one["severity"] == 1)
        column = units(f'{before}" ')
        assert error["range"]["start"] == {"line": line, "character": column}
        items = client.at("completion", URI, line, column + units("on_err"))["items"]
        assert "on_error" in {item["label"] for item in items}
        where = items[0]["textEdit"]["range"]
        assert where["start"] == {"line": line, "character": column}


def test_a_failing_test_is_a_finding_until_the_text_changes() -> None:
    text = TEXT.replace("expect pass", "expect block by no_rude")
    with Client() as client:
        client.open(URI, text)
        client.findings(URI, 1)
        ran = run(client, "guardkit.runTests", URI, "polite")
        assert ran["tests"][0]["status"] == "failed"
        found = client.findings(URI, 1, lambda all: any(o["source"] != "guardkit" for o in all))
        (failed,) = [one for one in found if one["source"] == "guardkit test"]
        assert failed["range"]["start"]["line"] == place_of(text, "expect block by no_rude")[0]
        version = client.type(URI, 0, 0, "# \n")
        again = client.findings(URI, version)
        assert all(one["source"] == "guardkit" for one in again)


def test_the_text_in_the_editor_is_tested_not_the_one_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "desk.guard"
    path.write_text(TEXT, encoding="utf-8")
    with Client(folder=tmp_path) as client:
        client.open(path.as_uri(), TEXT.replace("polite", "unsaved"))
        client.findings(path.as_uri(), 1)
        ran = run(client, "guardkit.runTests", path.as_uri())
        assert [one["name"] for one in ran["tests"]] == ["unsaved"]


def test_a_policy_hears_of_its_module_as_it_is_edited(tmp_path: Path) -> None:
    bank = 'guardkit 1\nmodule bank\n  version "1"\ncheck odd = repetition { max 4 }\n'
    shop = (
        'guardkit 1\npolicy shop\nuse "./bank.guard" version "1" as bank\n'
        'rule r { tier safety on output when bank.odd then block "No." }\n'
    )
    one, two = (tmp_path / "bank.guard").as_uri(), (tmp_path / "shop.guard").as_uri()
    with Client(folder=tmp_path) as client:
        client.open(two, shop)
        assert not is_clean(client.findings(two, 1))
        client.open(one, bank)
        client.findings(one, 1)
        version = client.type(two, 0, 0, "# \n")
        assert is_clean(client.findings(two, version, is_clean))
        client.said.clear()
        client.type(one, 3, 6, "even", 3)
        found = client.findings(two, version, lambda all: not is_clean(all))
        assert any("has no check `odd`" in finding["message"] for finding in found)


def test_fixes_are_offered_as_actions() -> None:
    text = TEXT.replace("then block", "then deny")
    with Client() as client:
        client.open(URI, text)
        client.findings(URI, 1, lambda all: not is_clean(all))
        line, column = place_of(text, "deny")
        where = {"line": line, "character": column}
        params = {"range": {"start": where, "end": where}, "context": {"diagnostics": []}}
        (action,) = client.about("codeAction", URI, **params)
        assert (action["kind"], action["isPreferred"]) == ("quickfix", True)
        (change,) = action["edit"]["documentChanges"]
        assert change["edits"][0]["newText"] == "block"
        assert span_text(text, change["edits"][0]["range"]) == "deny"
        params["context"]["only"] = ["refactor"]
        assert client.about("codeAction", URI, **params) == []


def test_clients_that_can_do_less_get_less() -> None:
    with Client(able={}) as client:
        client.open(URI, TEXT)
        items = client.at("completion", URI, *place_of(TEXT, "rule no_rude"))["items"]
        assert all(item["insertTextFormat"] == 1 for item in items)
        assert not any("$" in item["textEdit"]["newText"] for item in items)
        edit = client.at("rename", URI, *place_of(TEXT, "near ="), newName="close_by")
        assert list(edit["changes"]) == [URI]


def test_what_a_check_prints_does_not_reach_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "import sys\n"
        "print('Content-Length: 3\\r\\n\\r\\nabc', flush=True)\n"
        "def answer(text):\n"
        "    print('loud', flush=True)\n"
        "    sys.stdin.read()\n"
        "    return False\n"
    )
    text = (
        "guardkit 1\npolicy loud\n"
        'check shout = python { call "loud:answer" }\n'
        'rule r { tier safety on input when shout then block "No." }\n'
        'test "quiet" { input "hello" expect pass }\n'
    )
    with Client(folder=tmp_path, path=tmp_path) as client:
        client.open((tmp_path / "loud.guard").as_uri(), text)
        client.findings((tmp_path / "loud.guard").as_uri(), 1)
        ran = run(client, "guardkit.runTests", (tmp_path / "loud.guard").as_uri())
        assert [one["status"] for one in ran["tests"]] == ["passed"]
        assert any(b"loud" in line for line in client.errors)


# --- what goes wrong


def test_messages_that_make_no_sense_do_not_end_the_session() -> None:
    with Client() as client:
        client.open(URI, TEXT)
        for body in (b"{", b"[]", b"null", b'"x"', b"{}", b'{"jsonrpc": "1.0"}', b"\xff\xfe"):
            client.send_raw(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        client.notify("textDocument/didChange", {"textDocument": {}})
        client.notify("no/such", {"a": 1})
        client.notify("$/cancelRequest", {"id": 4711})
        with pytest.raises(ServerError):
            client.request("no/such", {})
        with pytest.raises(ServerError):
            client.request("textDocument/hover", {"textDocument": {"uri": URI}})
        with pytest.raises(ServerError):
            client.request("workspace/executeCommand", {"command": "guardkit.format"})
        assert client.at("hover", "untitled:never-opened", 0, 0) is None
        assert client.at("hover", URI, 10**6, 10**6) is None
        assert run(client, "guardkit.runTests", "untitled:never-opened") is None
        assert client.about("documentSymbol", URI)


def test_a_client_that_just_goes_away_ends_the_server() -> None:
    with subprocess.Popen(
        START,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_an_exit_without_a_shutdown_is_no_clean_one() -> None:
    client = Client()
    client.notify("exit", None)
    assert client.process.wait(30) == 1
    client.__exit__(ValueError, None, None)


def test_over_tcp_it_serves_this_machine() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [*START, "--tcp", str(port)],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"listening on 127.0.0.1:%d\n" % port
        connection = connected(port)
        with connection, connection.makefile("rwb") as wire:
            params = {"processId": None, "rootUri": None, "capabilities": {}}
            tell(wire, {"id": 1, "method": "initialize", "params": params})
            assert hear(wire)["result"]["serverInfo"]["name"] == "guardkit"
            tell(wire, {"id": 2, "method": "shutdown"})
            assert hear(wire)["id"] == 2
            tell(wire, {"method": "exit"})
            assert process.wait(30) == 0


def connected(port: int) -> socket.socket:
    end = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def tell(wire: Any, message: Json) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    wire.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    wire.flush()


def hear(wire: Any) -> Any:
    size = 0
    while line := wire.readline().strip():
        name, _, value = line.partition(b":")
        size = int(value) if name.lower() == b"content-length" else size
    return json.loads(wire.read(size))


def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [*START, "-q", "--tcp", str(taken.getsockname()[1])],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            timeout=50,
            check=False,
        )
    assert done.returncode == 2
    assert b"cannot listen on port" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_without_the_extra_it_names_the_extra() -> None:
    hidden = "import sys; sys.modules['pygls'] = None; from guardkit.cli import main; main(['lsp'])"
    done = subprocess.run(
        [sys.executable, "-c", hidden],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=50,
        check=False,
    )
    assert done.returncode == 2
    assert b"pip install 'guardkit[lsp]'" in done.stderr
    assert b"Traceback" not in done.stderr
