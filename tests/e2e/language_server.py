"""A client for a language server on its standard streams.

https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60


class LanguageServer:
    """Starts the server, and ends it when it is left."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            [*command, "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._asked = 0
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        completion = {"completionItem": {"snippetSupport": True}}
        can = {"textDocument": {"completion": completion, "publishDiagnostics": {}}}
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": can})
        self._tell("initialized", {})
        settings = {"yaml": {"schemaStore": {"enable": False}}}
        self._tell("workspace/didChangeConfiguration", {"settings": settings})

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._listener.join()
        self._process.communicate()

    def marks(self, path: Path, text: str) -> list[tuple[str, str]]:
        """The marked words and what is said of them."""
        uri = self._open(path, text)
        while uri not in self._diagnostics:
            self._note(self._messages.get(timeout=TIMEOUT_SECONDS))
        lines = text.splitlines()
        found = []
        for one in self._diagnostics.pop(uri):
            start, end = one["range"]["start"], one["range"]["end"]
            word = lines[start["line"]][start["character"] : end["character"]]
            found.append((word, one["message"]))
        self._close(uri)
        return found

    def completes(self, path: Path, text: str) -> list[str]:
        """What is offered at the `|` in the text."""
        before, _, after = text.partition("|")
        uri = self._open(path, before + after)
        row, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        where = {"textDocument": {"uri": uri}, "position": {"line": row, "character": column}}
        answer = self._ask("textDocument/completion", where)
        self._close(uri)
        return [item["label"] for item in answer["items"]]

    def _open(self, path: Path, text: str) -> str:
        uri = path.as_uri()
        self._diagnostics.pop(uri, None)
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    def _close(self, uri: str) -> None:
        self._tell("textDocument/didClose", {"textDocument": {"uri": uri}})

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._asked += 1
        number = self._asked
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._messages.get(timeout=TIMEOUT_SECONDS)
            if message.get("id") == number and "method" not in message:
                return message["result"]
            self._note(message)

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "textDocument/publishDiagnostics":
            self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout
        while header := self._process.stdout.readline():
            length = int(header.partition(b":")[2])
            while self._process.stdout.readline().strip():
                pass
            body = self._process.stdout.read(length)
            if len(body) < length:
                return  # it was ended in the middle of a word
            message = json.loads(body)
            if "method" in message and "id" in message:  # it wants to know something; it may not
                self._send({"id": message["id"], "result": None})
            else:
                self._messages.put(message)
