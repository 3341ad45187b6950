"""``oidc-auth adopt``: what an older deployment left without an owner finds one, and nothing else changes."""

from __future__ import annotations

import json
import re
import shlex
import socket
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from langgraph_sdk import Auth

from oidc_auth.cli.app import app
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from world.town import Somebody, Town

PAGE = Path(__file__).parents[2] / "docs" / "existing-data.md"
NEVER = {"assistant_id": "agent", "schedule": "0 0 1 1 *", "input": {}}
BY_USER = ["--owner-from", "user_id", "--tenant-from", "org_id"]


class OldServer:
    """The server as it was before ``protect``: everybody who has a key may do everything."""

    def __init__(self, town: Town, url: str, folder: Path) -> None:
        self.job = uuid.uuid4().hex
        self._town, self._url = town, url
        self._headers = folder / "headers"
        self._headers.write_text("x-api-key: old key\n", "utf-8")

    def restore(self) -> None:
        auth = Auth()

        @auth.authenticate
        async def authenticate(headers: Any) -> str:
            assert headers[b"x-api-key"] == b"old key"
            return "everybody"

        async def by_name(headers: Any, method: Any, path: Any, scope: Any) -> str:
            return await authenticate(headers)

        auth._authenticate_handler = by_name
        self._town.server.install(auth)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._town.server.ask(method, path, None, body, x_api_key="old key")
        assert answer.is_success, answer.text
        return answer.json()

    def delete(self, path: str) -> None:
        assert self._town.server.ask("DELETE", path, None, x_api_key="old key").is_success

    def make(self, **metadata: Any) -> dict[str, str]:
        """Make one of each kind; return their paths."""
        sent = {"metadata": {"job": self.job, **metadata}}
        return {
            "/threads": self.ask("POST", "/threads", sent)["thread_id"],
            "/assistants": self.ask("POST", "/assistants", {"graph_id": "agent", **sent})["assistant_id"],
            "/runs/crons": self.ask("POST", "/runs/crons", {**NEVER, **sent})["cron_id"],
        }

    def metadata(self, made: dict[str, str]) -> list[dict[str, Any]]:
        return [self.ask("GET", f"{path}/{id_}")["metadata"] for path, id_ in made.items()]

    def adopt(self, *arguments: str, given: str = "") -> Result:
        headers = ["--headers", str(self._headers)]
        return CliRunner().invoke(app, ["adopt", self._url, *headers, *arguments], input=given)


@pytest.fixture
def old(town: Town, tmp_path: Path) -> Iterator[OldServer]:
    with town.server.served() as url:
        server = OldServer(town, url, tmp_path)
        server.restore()
        yield server


def test_a_dry_run_counts_and_writes_nothing(old: OldServer) -> None:
    made = old.make(user_id="alice", org_id="acme")
    before = old.metadata(made)
    done = old.adopt(*BY_USER)
    assert (done.exit_code, "nothing was written" in done.output, "--write" in done.output) == (0, True, True)
    assert old.metadata(made) == before


def test_what_was_stamped_is_its_users_under_protect_and_no_strangers(old: OldServer, town: Town) -> None:
    made = old.make(user_id="alice", org_id="acme")
    done = old.adopt(*BY_USER, "--write")
    assert done.exit_code == 0, done.output
    for metadata in old.metadata(made):
        assert (metadata["owner"], metadata["tenant"], metadata["job"]) == ("alice", "acme", old.job)
    town.enforce()
    alice, bob = town.person("alice", *EVENTS), town.person("bob", *EVENTS)
    assert [visible(alice, made), visible(bob, made)] == [[200, 200, 200], [404, 404, 404]]


def test_a_cron_of_another_name_does_not_run_for_its_new_owner(old: OldServer, town: Town) -> None:
    """The scheduler knows it by who made it: neither of the two started this."""
    cron = old.make(user_id="alice", org_id="acme")["/runs/crons"]
    old.adopt(*BY_USER, "--write")
    town.enforce()
    alice = town.person("alice", *EVENTS)
    change = {"schedule": "* * * * * *", "metadata": {"job": "adopted"}, "on_run_completed": "keep"}
    assert alice("PATCH", f"/runs/crons/{cron}", change).json()["payload"]["metadata"]["authorized_until"] > 0
    time.sleep(2.2)  # two fires of the server's own scheduler
    assert alice("DELETE", f"/runs/crons/{cron}").is_success
    assert town.person("root", "root").search("threads", job="adopted") == []


def visible(somebody: Somebody, made: dict[str, str]) -> list[int]:
    return [somebody("GET", f"{path}/{id_}").status_code for path, id_ in made.items()]


def test_a_second_run_finds_what_is_left_and_touches_nothing_else(old: OldServer) -> None:
    made = old.make(user_id="alice", org_id="acme")
    owned = old.make(user_id="alice", owner="bob")
    old.adopt(*BY_USER, "--write")
    before = old.metadata(made)
    late = old.make(user_id="late")
    counted = json.loads(old.adopt(*BY_USER, "--write", "--json").stdout)
    assert [counted[kind]["stamped"] for kind in ("threads", "assistants", "crons")] == [1, 1, 1]
    assert [metadata["owner"] for metadata in old.metadata(late)] == ["late"] * 3
    assert [metadata["tenant"] for metadata in old.metadata(late)] == [None] * 3
    assert old.metadata(made) == before
    assert [metadata["owner"] for metadata in old.metadata(owned)] == ["bob"] * 3


def test_a_map_gives_old_names_their_identity_and_leaves_the_others(old: OldServer) -> None:
    known, unknown = old.make(mail="alice@x.com"), old.make(mail="eve@x.com")
    odd = old.make(mail=["alice@x.com"])
    done = old.adopt("--owner-from", "mail", "--map", "-", "--write", given='{"alice@x.com": "auth0|1"}')
    assert "seen with @all only" in done.output
    assert [metadata["owner"] for metadata in old.metadata(known)] == ["auth0|1"] * 3
    assert all("tenant" not in metadata for metadata in old.metadata(known))
    assert all("owner" not in metadata for metadata in old.metadata(unknown) + old.metadata(odd))


def test_names_that_the_map_lacks_are_listed_apart_from_what_has_no_name(old: OldServer) -> None:
    names = [f"{number:02}@x.com" for number in range(22)]
    for name in names:
        old.ask("POST", "/threads", {"metadata": {"who": name}})
    old.ask("POST", "/threads", {"metadata": {"who": [names[0]]}})
    arguments = ["--owner-from", "who", "--map", "-"]
    counted = json.loads(old.adopt(*arguments, "--json", given="{}").stdout)
    assert (counted["threads"]["unmapped"], counted["unmapped"]) == (22, names)
    assert counted["threads"]["unknown"] > 0
    shown = old.adopt(*arguments, given="{}")
    assert "'19@x.com' and 2 more" in shown.stdout
    assert (names[20] in shown.stdout, shown.stderr) == (False, "")


def test_a_server_that_is_protected_says_what_to_do(old: OldServer, town: Town) -> None:
    town.enforce()
    done = old.adopt(*BY_USER)
    old.restore()
    assert done.exit_code == 1
    assert "POST /threads/count is answered 401. Run this against the server as it was before protect()" in done.output
    assert (done.stderr.startswith("Error"), "mozilla" in done.output) == (True, False)


def test_an_owner_that_was_stamped_by_another_name_is_renamed_once(old: OldServer) -> None:
    renamed, left = old.make(owner="alice@x.com", org="acme"), old.make(owner="eve@x.com")
    rename = ["--owner-from", "owner", "--tenant-from", "org", "--map", "-", "--write", "--json"]
    counts = [json.loads(old.adopt(*rename, given='{"alice@x.com": "auth0|7"}').stdout)["threads"] for _ in range(2)]
    assert [count["stamped"] for count in counts] == [1, 0]
    assert [(one["owner"], one["tenant"]) for one in old.metadata(renamed)] == [("auth0|7", "acme")] * 3
    assert [one["owner"] for one in old.metadata(left)] == ["eve@x.com"] * 3


def test_an_owner_who_has_no_tenant_yet_gets_one(old: OldServer) -> None:
    made = old.make(owner="auth0|8", org="acme")
    tenant = ["--owner-from", "owner", "--tenant-from", "org", "--write"]
    for _ in range(2):
        assert old.adopt(*tenant).exit_code == 0
    assert [(one["owner"], one["tenant"]) for one in old.metadata(made)] == [("auth0|8", "acme")] * 3


def test_a_map_whose_second_run_would_go_astray_is_refused(old: OldServer) -> None:
    done = old.adopt("--owner-from", "owner", "--map", "-", given='{"a": "b", "b": "c"}')
    assert (done.exit_code, "an identity is an old name too" in done.output) == (1, True)


def test_what_was_written_without_its_tenant_is_counted_and_gets_it_when_asked(old: OldServer, town: Town) -> None:
    made = old.make(user_id="alice", org_id="acme")
    old.adopt("--owner-from", "user_id", "--write")
    again = old.adopt(*BY_USER, "--write", "--json")
    assert [count["tenantless"] >= 1 for count in counts_of(again)] == [True] * 3
    assert all("tenant" not in one for one in old.metadata(made))
    assert "--owner-from owner --tenant-from KEY adds the tenant" in old.adopt(*BY_USER).output
    done = counts_of(old.adopt("--owner-from", "owner", "--tenant-from", "org_id", "--write", "--json"))
    assert [count["stamped"] >= 1 for count in done] == [True] * 3
    assert [(one["owner"], one["tenant"]) for one in old.metadata(made)] == [("alice", "acme")] * 3
    town.enforce()
    assert visible(town.person("alice", *EVENTS), made) == [200, 200, 200]


def counts_of(done: Result) -> list[dict[str, int]]:
    counted = json.loads(done.stdout)
    return [counted[kind] for kind in ("threads", "assistants", "crons")]


@pytest.mark.parametrize("owner", [{}, {"owner": "alice", "tenant": "acme"}], ids=["no owner", "an owner"])
def test_what_a_user_marked_as_the_servers_own_is_its_users_alone(
    old: OldServer, town: Town, owner: dict[str, str]
) -> None:
    made = old.make(user_id="alice", org_id="acme", created_by="system", **owner)
    assert [count["forged"] for count in counts_of(old.adopt(*BY_USER, "--json"))] == [1, 1, 1]
    assert [one["created_by"] for one in old.metadata(made)] == ["system"] * 3
    assert "everybody may see" in old.adopt(*BY_USER, "--write").output
    assert [count["forged"] for count in counts_of(old.adopt(*BY_USER, "--json"))] == [0, 0, 0]
    town.enforce()
    alice, bob = town.person("alice", *EVENTS), town.person("bob", *EVENTS)
    assert [visible(alice, made), visible(bob, made)] == [[200, 200, 200], [404, 404, 404]]


def test_a_mark_of_nobody_known_stays_and_is_counted_until_it_is_deleted(old: OldServer) -> None:
    made = old.make(created_by="system")
    for _ in range(2):
        assert [count["forged"] for count in counts_of(old.adopt(*BY_USER, "--write", "--json"))] == [1, 1, 1]
    assert [one["created_by"] for one in old.metadata(made)] == ["system"] * 3
    for path, id_ in made.items():
        old.delete(f"{path}/{id_}")


@pytest.mark.parametrize("tenant", [{"id": "acme"}, 7, True, ["acme", 7], " ", "x" * 256])
def test_a_tenant_that_no_token_can_name_is_not_taken_for_none(old: OldServer, tenant: object) -> None:
    made = old.make(user_id="alice", org_id=tenant)
    assert old.adopt(*BY_USER, "--write").exit_code == 0
    assert all("owner" not in one and "tenant" not in one for one in old.metadata(made))


@pytest.mark.parametrize(("tenant", "stamped"), [(["acme"], "acme"), ("", None), (None, None)])
def test_a_tenant_is_read_as_a_token_s_is(old: OldServer, tenant: object, stamped: str | None) -> None:
    made = old.make(user_id="alice", org_id=tenant)
    old.adopt(*BY_USER, "--write")
    assert [one["tenant"] for one in old.metadata(made)] == [stamped] * 3


@pytest.mark.parametrize("name", ["system", "anonymous", "*", " ", "x" * 256, 7])
def test_a_name_that_no_token_can_have_is_unknown(old: OldServer, name: object) -> None:
    made = old.make(user_id=name)
    old.adopt(*BY_USER, "--write")
    assert all("owner" not in one for one in old.metadata(made))


def test_the_servers_own_assistants_stay_its_own(old: OldServer) -> None:
    old.adopt("--owner-from", "created_by", "--write")
    built_in = old.ask("POST", "/assistants/search", {"metadata": {"created_by": "system"}})
    assert built_in
    assert all("owner" not in assistant["metadata"] for assistant in built_in)


def test_more_than_a_page_is_adopted(old: OldServer) -> None:
    for _ in range(101):
        old.ask("POST", "/threads", {"metadata": {"many": old.job}})
    counted = json.loads(old.adopt("--owner-from", "many", "--write", "--json").stdout)
    assert counted["threads"]["stamped"] == 101


def test_a_server_that_protects_owners_already_is_said_to_be_one(old: OldServer, town: Town) -> None:
    made = old.make(user_id="alice", org_id="acme")
    town.enforce()
    token = town.person("root", "root").token
    done = old.adopt(*BY_USER, "--write", "--headers", "-", given=f"authorization: Bearer {token}\n")
    assert (done.exit_code, "protect() is there already" in done.output) == (1, True)
    old.restore()
    assert all("owner" not in metadata for metadata in old.metadata(made))


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["--map", "-"], "no json", "--map: not JSON"),
        (["--map", "-"], '{"a": 1}', "--map: an object is expected"),
        (["--map", "-"], "[]", "--map: an object is expected"),
        (["--headers", "-"], "no header", "--headers: a line"),
        (["--headers", "-"], "x-api-key: s3cr3t\x01", "--headers: a line"),
        (["--headers", "-"], "x-api-key: s3cr3té", "--headers: a line"),
        (["--headers", "-"], "x api key: s3cr3t", "--headers: a line"),
        (["--headers", "-"], "x-api-key: wrong", "500"),
    ],
)
def test_what_is_wrong_is_said(old: OldServer, arguments: list[str], given: str, said: str) -> None:
    done = old.adopt("--owner-from", "user_id", *arguments, given=given)
    assert (done.exit_code, said in done.output) == (1, True), done.output
    assert "s3cr3t" not in done.output


def adopt_from(url: str, folder: Path) -> Result:
    headers = folder / "headers"
    headers.write_text("x-api-key: s3cr3t\n", "utf-8")
    return CliRunner().invoke(app, ["adopt", url, "--owner-from", "user_id", "--headers", str(headers)])


def test_headers_are_never_sent_unencrypted_to_another_machine(tmp_path: Path) -> None:
    done = adopt_from("http://server.invalid:2024", tmp_path)
    assert (done.exit_code, "http is allowed for loopback only" in done.output) == (1, True), done.output


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_headers_for_this_machine_never_travel_to_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    # Whoever connects to the proxy is refused as well: what tells them apart is who was asked.
    with socket.create_server(("127.0.0.1", 0)) as proxy, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        proxy.settimeout(0)
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        done = adopt_from(f"http://127.0.0.1:{held.getsockname()[1]}", tmp_path)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert (done.exit_code, "refused" in done.output) == (1, True), done.output


@pytest.mark.parametrize(
    "url",
    ["https://admin:s3cr3t@server.invalid", "https://server.invalid?key=s3cr3t", "s3cr3t", "ftp://s3cr3t", "http://["],
)
def test_an_address_that_may_hold_a_secret_is_refused_and_not_repeated(url: str) -> None:
    done = CliRunner().invoke(app, ["adopt", url, "--owner-from", "user_id"])
    assert (done.exit_code, "is expected, without a user name" in done.output) == (2, True), done.output
    assert "s3cr3t" not in done.output


def test_the_commands_of_the_page_are_commands_that_work(
    old: OldServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headers.txt").write_text("x-api-key: old key", "utf-8")
    Path("names.json").write_text('{"alice@acme.com": "auth0|64f1"}', "utf-8")
    made = old.make(user_id="alice@acme.com", org_id="acme")
    commands = re.findall(r"oidc-auth adopt http://127.0.0.1:2024 (.*)", PAGE.read_text("utf-8"))
    assert [old.adopt(*shlex.split(command)).exit_code for command in commands] == [0] * 5
    assert [metadata["owner"] for metadata in old.metadata(made)] == ["auth0|64f1"] * 3
