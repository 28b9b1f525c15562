"""A stand-in for an Arista switch: eAPI over real HTTP(S) that executes configuration sessions.

It is no EOS. It keeps a config of a few modes, and does with sessions what EOS documents: load,
diff, commit, commit with a timer, confirm, abort, replace, and the file that NAPALM rolls back to.
"""

from __future__ import annotations

import base64
import copy
import difflib
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Tree = dict[str, dict[str, Any]]
"""A config: each line with the lines of its mode."""
GLOBAL = ("hostname", "vlan", "interface", "ntp", "username", "snmp-server", "spanning-tree", "ip")
MODES = {
    "interface": ("description", "switchport", "shutdown", "mtu", "ip", "no"),
    "vlan": ("name", "state", "no"),
}
SINGLE = ("hostname", "description", "name", "mtu", "switchport mode", "switchport access vlan")
"""Lines of which there is one: a new one takes the old one's place."""
START = """hostname cabinet-3
!
username admin secret sha512 $6$pretend$start
!
vlan 10
   name city
!
interface Ethernet1
   description pole 7
   switchport access vlan 10
!
"""


class Invalid(Exception):  # noqa: N818 - what EOS says
    """A command that EOS does not take."""


def enter(tree: Tree, lines: list[str]) -> None:
    """Type `lines` into a config."""
    mode: tuple[str, Tree] | None = None
    for line in lines:
        if not line or line.startswith("!"):
            continue
        first, _, rest = line.partition(" ")
        word = rest.split(" ")[0] if first == "no" else first
        if mode and first == "exit":
            mode = None
        elif mode and word in MODES[mode[0]]:
            _put(mode[1], line)
        elif word in GLOBAL:
            mode = None
            _put(tree, line)
            if first in MODES:
                mode = (first, tree[line])
        else:
            raise Invalid(line)


def _put(tree: Tree, line: str) -> None:
    if line.startswith("no "):
        for known in [k for k in tree if k == line[3:] or k.startswith(line[3:] + " ")]:
            del tree[known]
        return
    head = next((one for one in SINGLE if line.startswith(one + " ")), None)
    for known in [k for k in tree if head and k.startswith(head + " ") and k != line]:
        del tree[known]
    tree.setdefault(line, {})


def show(tree: Tree) -> str:
    """The config as text."""
    out = []
    for line, children in tree.items():
        out += [line, *(f"   {child}" for child in children), "!"]
    return "\n".join(out) + "\n"


@dataclass
class Switch:
    """The stand-in's state. Every request is one turn."""

    password: str
    running: Tree = field(default_factory=dict)
    startup: str = ""
    files: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    """Commands in the order they came."""
    mute_after_commit: bool = False
    """Whether it answers nobody any more once a commit waits: the config cut us off."""
    muted: bool = False
    timer: threading.Timer | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        enter(self.running, [line.strip() for line in START.split("\n")])
        self.startup = show(self.running)

    # What eAPI runs

    def run(self, commands: list[Any], style: str) -> list[dict[str, Any]]:
        """Run a request's commands in order; Invalid holds the results before it."""
        results: list[dict[str, Any]] = []
        mode: str | None = None
        for number, given in enumerate(commands, 1):
            command = given["cmd"] if isinstance(given, dict) else given
            self.seen.append(command)
            try:
                mode, said = self._one(command.strip(), mode)
            except Invalid as error:
                text = (
                    f"CLI command {number} of {len(commands)} '{command}' failed: invalid command"
                )
                raise Fault(text, results) from error
            results.append({"output": said} if style == "text" or isinstance(said, str) else said)
        return results

    def _one(self, command: str, mode: str | None) -> tuple[str | None, Any]:
        words = command.split()
        if words[:2] == ["configure", "session"]:
            return self._session(words[2], words[3:])
        if mode:
            if command == "end":
                return None, ""
            session = self.sessions[mode]
            if command == "rollback clean-config":
                session["tree"] = {}
                return mode, ""
            session["lines"].append(command)
            # A line is right or wrong in its mode, so the lines so far are typed again.
            tree: Tree = copy.deepcopy(session["tree"])
            enter(tree, session["lines"])
            return mode, ""
        return None, self._plain(command)

    def _session(self, name: str, words: list[str]) -> tuple[str | None, str]:
        session = self.sessions.get(name)
        if words == []:
            if session is None:
                session = {"state": "pending", "tree": copy.deepcopy(self.running), "lines": []}
                self.sessions[name] = session
            return name, ""
        if session is None:
            raise Invalid(name)
        if words == ["abort"]:
            if session["state"] == "pendingCommitTimer":
                self._revert(name)
            else:
                del self.sessions[name]
        elif words == ["commit"]:
            if self.timer:
                self.timer.cancel()
                self.timer = None
            else:
                self.running = self._result(name)
            session["state"] = "completed"
            for other in [k for k, s in self.sessions.items() if s["state"] == "completed"]:
                if other != name:
                    del self.sessions[other]
        elif words[:2] == ["commit", "timer"]:
            hours, minutes, seconds = (int(part) for part in words[2].split(":"))
            session["before"], self.running = self.running, self._result(name)
            session["state"] = "pendingCommitTimer"
            self.timer = threading.Timer(hours * 3600 + minutes * 60 + seconds, self.expire)
            self.timer.daemon = True
            self.timer.start()
            self.muted = self.mute_after_commit
        else:
            raise Invalid(" ".join(words))
        return None, ""

    def expire(self) -> None:
        """The timer runs out (or a test says so)."""
        with self.lock:
            for name, session in list(self.sessions.items()):
                if session["state"] == "pendingCommitTimer":
                    self._revert(name)
            self.muted = False

    def _revert(self, name: str) -> None:
        self.running = self.sessions.pop(name)["before"]
        if self.timer:
            self.timer.cancel()
        self.timer = None

    def _result(self, name: str) -> Tree:
        session = self.sessions[name]
        tree: Tree = copy.deepcopy(session["tree"])
        enter(tree, session["lines"])
        return tree

    def _plain(self, command: str) -> Any:
        running = show(self.running)
        words = command.split()
        if words[:2] == ["show", "session-config"]:
            result = show(self._result(words[3]))
            if words[4:] == ["diffs"]:
                return "\n".join(difflib.unified_diff(
                    running.split("\n"), result.split("\n"), "system:/running-config",
                    f"session:/{words[3]}-session-config", lineterm="",
                ))  # fmt: skip
            return f"! Command: {command}\n{result}"
        if command == "configure replace flash:rollback-0":
            self.running = {}
            enter(self.running, [line.strip() for line in self.files["rollback-0"].split("\n")])
            return ""
        if command == "copy startup-config flash:rollback-0":
            self.files["rollback-0"] = self.startup
            return ""
        if command == "write memory":
            self.startup = running
            return ""
        told: dict[str, Any] = {
            "enable": {},
            "show version": {"version": "4.29.2F", "uptime": 1000.0, "modelName": "stand-in",
                             "bootupTimestamp": 1.0, "serialNumber": "S-EOS", "internalVersion":
                             "4.29.2F-stand-in"},
            "show hostname": {"hostname": "cabinet-3", "fqdn": "cabinet-3.example"},
            "show interfaces": {"interfaces": {}},
            "show running-config": f"! Command: show running-config\n{running}",
            "show configuration sessions": {"sessions": self._told()},
            "show configuration sessions detail": {"sessions": self._told()},
        }  # fmt: skip
        if command not in told:
            raise Invalid(command)
        return told[command]

    def _told(self) -> dict[str, dict[str, Any]]:
        return {
            name: {"state": one["state"], "commitBy": 1060.0, "instances": {}}
            for name, one in self.sessions.items()
        }


class Fault(Exception):  # noqa: N818 - an answer of eAPI
    """A request that failed at one command."""

    def __init__(self, text: str, results: list[dict[str, Any]]) -> None:
        super().__init__(text)
        self.results = results


class Handler(BaseHTTPRequestHandler):
    """JSON-RPC `runCmds` behind basic authentication."""

    protocol_version = "HTTP/1.1"
    switch: Switch

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        want = base64.b64encode(f"admin:{self.switch.password}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {want}":
            self._send(401, b"")
            return
        params = body["params"]
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": body["id"]}
        with self.switch.lock:
            if self.switch.muted:
                self.close_connection = True
                return
            try:
                answer["result"] = self.switch.run(params["cmds"], params["format"])
            except Fault as fault:
                data = [*fault.results, {"errors": ["Invalid input"]}]
                answer["error"] = {"code": 1002, "message": str(fault), "data": data}
        self._send(200, json.dumps(answer).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        pass


class Server:
    """The stand-in on a port of its own; with `certificate` (PEM paths) over TLS."""

    def __init__(self, password: str, certificate: tuple[str, str] | None = None) -> None:
        self.switch = Switch(password)
        handler = type("Bound", (Handler,), {"switch": self.switch})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = int(self.http.server_address[1])
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
