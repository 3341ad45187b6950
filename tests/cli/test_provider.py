"""``oidc-auth provider``: start, output, key presses and refusals."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import jwt
import pytest
from kit.command_runner import error_of, run
from rich.console import Console

from oidc_auth.cli.provider_keys import KeyCommands
from oidc_auth.cli.provider_screen import Screen, TokenFolder, curl_lines, issuer_table, sample_robot
from oidc_auth.cli.scenario import USERS
from oidc_auth.local_provider import Client, LocalProvider
from oidc_auth.local_provider.samples import SAMPLE_CLIENTS, SAMPLE_USERS

if TYPE_CHECKING:
    from collections.abc import Iterator

START = [sys.executable, "-m", "oidc_auth.cli", "provider", "--port", "0"]
ENDED_BY_SIGTERM = 128 + signal.SIGTERM
WIDTH = 80


@contextmanager
def running_command(*options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command without a terminal."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*START, *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": str(WIDTH)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_json_line_has_working_tokens() -> None:
    with running_command("--json", "--audience", "shop", "--lifetime", "60") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert (told["users"], told["clients"]) == (["alice", "bob", "ada", "victor"], ["spa", "robot"])
        header = {"authorization": f"Bearer {told['tokens']['bob']}"}
        assert httpx.get(f"{told['issuer']}/userinfo", headers=header).json()["org"] == "globex"
        claims = jwt.decode(told["tokens"]["bob"], options={"verify_signature": False})
        assert (claims["aud"], claims["exp"] - claims["iat"]) == ("shop", 60)
        process.send_signal(signal.SIGTERM)
        output, shown = process.communicate(timeout=20)
    assert (output, process.returncode) == ("", ENDED_BY_SIGTERM)
    folder = Path(re.findall(r"in (/\S+): NAME\.token", shown)[0])
    assert not folder.exists()


class Terminal:
    """The output of the command, without a process.

    Attributes:
        provider: the running provider.
        tokens: the folder of its tokens.
        keys: the key commands.
    """

    def __init__(self, provider: LocalProvider, folder: Path) -> None:
        self._output = io.StringIO()
        console = Console(file=self._output, width=WIDTH, force_terminal=True, color_system=None, emoji=False)
        self.provider = provider
        self.screen = Screen(console)
        self.tokens = TokenFolder(provider, folder)
        self.keys = KeyCommands(provider, self.screen, self.tokens)

    def shown(self) -> str:
        """Return the new output."""
        text = self._output.getvalue()
        self._output.seek(0)
        self._output.truncate()
        return text

    def press(self, keys: str) -> str:
        """Press keys, and return the new output."""
        for key in keys:
            assert self.keys.press(key)
        return self.shown()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Return the terminal of a running provider."""
    provider = LocalProvider(clients=[*SAMPLE_CLIENTS, sample_robot()], algorithm="ES256")
    with provider.served():
        yield Terminal(provider, tmp_path)


def test_start_fits_terminal_except_tokens(terminal: Terminal) -> None:
    terminal.screen.show_start(terminal.provider, terminal.tokens, "agents", 3600, is_sample=True)
    lines = [line for line in terminal.shown().splitlines() if str(terminal.tokens.folder) not in line]
    tokens = [line for line in lines if line.startswith("eyJ")]
    # Tokens are copied, so they are not wrapped.
    assert tokens == list(terminal.tokens.current.values())
    assert max(len(line) for line in lines if line not in tokens) <= WIDTH


def test_start_warns(terminal: Terminal) -> None:
    terminal.screen.show_start(terminal.provider, terminal.tokens, "agents", 3600, is_sample=True)
    warning = terminal.shown().partition("warning ")[2].partition("issuer ")[0]
    assert {"development", "passwords", "signs", "tokens"} <= set(re.findall(r"\w+", warning))


def test_secret_is_not_printed(terminal: Terminal) -> None:
    terminal.screen.show_start(terminal.provider, terminal.tokens, "agents", 3600, is_sample=True)
    secret = (terminal.tokens.folder / "robot.secret").read_text("utf-8")
    shown = terminal.shown() + terminal.press("rtsh")
    assert (len(secret), secret in shown) == (32, False)


def test_files_are_private(terminal: Terminal) -> None:
    modes = {file.name: file.stat().st_mode & 0o777 for file in terminal.tokens.folder.iterdir()}
    assert modes == dict.fromkeys(["alice.token", "bob.token", "ada.token", "victor.token", "robot.secret"], 0o600)


def test_printed_configuration_is_valid(terminal: Terminal, tmp_path: Path) -> None:
    for name, with_permissions in (("sample", True), ("plain", False)):
        file = tmp_path / f"{name}.toml"
        file.write_text(issuer_table(terminal.provider.url, "agents", with_permissions=with_permissions), "utf-8")
        assert run("check", str(file)).exit_code == 0
        assert tomllib.loads(file.read_text("utf-8"))["issuer"][0]["issuer"] == terminal.provider.url


def test_printed_configuration_allows_sample_users(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "oidc-auth.toml"
    file.write_text(issuer_table(terminal.provider.url, "agents", with_permissions=True), "utf-8")
    allowed = {
        name: run("can", str(file), "--token-file", "-", "threads:create", given=token).exit_code == 0
        for name, token in terminal.tokens.current.items()
    }
    assert allowed == {"alice": True, "bob": True, "ada": True, "victor": False}


@pytest.mark.parametrize(
    ("lines", "member", "value"), [(slice(0, 2), "sub", "alice"), (slice(3, 5), "token_type", "Bearer")]
)
def test_printed_curl_command_works(lines: slice, member: str, value: str, terminal: Terminal) -> None:
    script = "\n".join(curl_lines(terminal.provider, terminal.tokens.folder)[lines])
    done = subprocess.run(script, shell=True, capture_output=True, text=True, timeout=20, check=True)  # noqa: S602 - our own command
    assert json.loads(done.stdout)[member] == value


def test_key_r_rotates_the_key(terminal: Terminal) -> None:
    old = terminal.provider.keys[0].kid
    shown = terminal.press("r")
    new, kept = (key.kid for key in terminal.provider.keys)
    assert (kept, new in shown, new != old) == (old, True, True)


def test_key_t_prints_new_tokens(terminal: Terminal) -> None:
    before = dict(terminal.tokens.current)
    shown = terminal.press("t")
    now = terminal.tokens.current
    assert (terminal.tokens.folder / "ada.token").read_text("utf-8") == now["ada"]
    assert [now[name] in shown and now[name] != before[name] for name in now] == [True] * 4


def test_key_s_lists_sessions(terminal: Terminal) -> None:
    lines = terminal.press("s").splitlines()
    assert [line.removeprefix("sessions").split(",")[0].strip() for line in lines] == ["alice", "bob", "ada", "victor"]


def test_key_e_ends_sessions_of_one_user(terminal: Terminal) -> None:
    offered = terminal.press("e")
    key = offered[offered.index("bob") - 2]
    terminal.press(key)
    assert sorted(session.user.name for session in terminal.provider.sessions()) == ["ada", "alice", "victor"]
    header = {"authorization": f"Bearer {terminal.tokens.current['bob']}"}
    assert httpx.get(f"{terminal.provider.url}/userinfo", headers=header).status_code == 401


def test_other_key_cancels_end_of_sessions(terminal: Terminal) -> None:
    terminal.press("eq")
    assert len(terminal.provider.sessions()) == 4


def test_failed_logout_is_shown(terminal: Terminal, tmp_path: Path) -> None:
    provider = LocalProvider(
        clients=[Client("spa", backchannel_logout_uri="http://127.0.0.1:1/")],
        algorithm="ES256",
        report=terminal.screen.report,
    )
    folder = tmp_path / "second"
    folder.mkdir()
    with provider.served():
        tokens = TokenFolder(provider, folder)
        provider.end_sessions("ada")
    shown = terminal.shown()
    assert ("ConnectError" in shown, tokens.current["ada"] in shown) == (True, False)


def test_unknown_keys_do_nothing(terminal: Terminal) -> None:
    assert terminal.press("xZ1\x1b\n") == ""


def test_key_q_ends_command_on_terminal() -> None:
    screen = PseudoTerminal()
    try:
        screen.wait_for("q quit")
        screen.type("r")
        screen.wait_for("2 keys")
        screen.type("q")
        assert screen.process.wait(20) == 0
    finally:
        screen.close()


class PseudoTerminal:
    """The command on a terminal."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(START, stdin=slave, stdout=slave, stderr=slave)  # noqa: S603 - our own command
        os.close(slave)
        self._shown = ""

    def wait_for(self, text: str) -> None:
        """Wait until the command has printed a text."""
        while text not in self._shown:
            assert select.select([self._master], [], [], 20)[0], self._shown
            self._shown += os.read(self._master, 4096).decode()

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def close(self) -> None:
        """End the command."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "localhost", "127.0.0.2", ""])  # noqa: S104 - refused
def test_other_address_is_refused(host: str) -> None:
    refused = run("provider", "--host", host)
    assert (refused.exit_code, "127.0.0.1" in error_of(refused)) == (2, True)


def test_port_in_use_is_reported(terminal: Terminal) -> None:
    refused = run("provider", "--port", terminal.provider.url.rpartition(":")[2])
    assert (refused.exit_code, "--port 0" in error_of(refused)) == (1, True)


def test_invalid_users_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    file.write_text('[[user]]\nname = "a"\nclaims = { iss = "x" }\n', "utf-8")
    refused = run("provider", "--users", str(file))
    assert (refused.exit_code, str(file) in error_of(refused)) == (1, True)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "oidc_auth.local_provider.provider", None)
    for command in ("provider", "demo"):
        refused = run(command)
        assert (refused.exit_code, "langgraph-oidc-auth[demo]" in error_of(refused)) == (1, True)


def test_sample_users_are_those_of_demo() -> None:
    samples = {user.name: (user.claims["roles"], user.claims["org"]) for user in SAMPLE_USERS}
    assert samples == {name: ([USERS[name][0]], USERS[name][1]) for name in samples}
