"""``oidc-auth assign-owners``: it sets owners of the objects of an older deployment, and changes nothing else."""

from __future__ import annotations

import json
import re
import shlex
import socket
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kit.command_runner import error_of, run
from langgraph_sdk import Auth

from oidc_auth import ErrorCode
from oidc_auth.permissions.names import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result
    from kit.live_server import LiveServer, SampleUser
    from kit.snapshots import Messages

PAGE = Path(__file__).parents[2] / "docs" / "existing-data.md"
NEVER = {"assistant_id": "agent", "schedule": "0 0 1 1 *", "input": {}}
BY_USER = ["--owner-from", "user_id", "--tenant-from", "org_id"]


class OldServer:
    """The server without ``protect``. Every user with a key has access to everything."""

    def __init__(self, live_server: LiveServer, url: str, folder: Path) -> None:
        self.job = uuid.uuid4().hex
        self._town, self.url = live_server, url
        self._headers = folder / "headers"
        self._headers.write_text("x-api-key: old key\n", "utf-8")

    def restore(self) -> None:
        auth = Auth()

        @auth.authenticate
        async def authenticate(headers: Any) -> str:
            assert headers[b"x-api-key"] == b"old key"
            return "all-users"

        async def authenticate_by_name(headers: Any, method: Any, path: Any, scope: Any) -> str:
            return await authenticate(headers)

        auth._authenticate_handler = authenticate_by_name
        self._town.server.install(auth)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._town.server.request(method, path, None, body, x_api_key="old key")
        assert answer.is_success, answer.text
        return answer.json()

    def delete(self, path: str) -> None:
        assert self._town.server.request("DELETE", path, None, x_api_key="old key").is_success

    def make(self, **metadata: Any) -> dict[str, str]:
        """Create one object of each kind, and return their paths."""
        sent = {"metadata": {"job": self.job, **metadata}}
        return {
            "/threads": self.request("POST", "/threads", sent)["thread_id"],
            "/assistants": self.request("POST", "/assistants", {"graph_id": "agent", **sent})["assistant_id"],
            "/runs/crons": self.request("POST", "/runs/crons", {**NEVER, **sent})["cron_id"],
        }

    def metadata(self, made: dict[str, str]) -> list[dict[str, Any]]:
        return [self.request("GET", f"{path}/{id_}")["metadata"] for path, id_ in made.items()]

    def assign_owners(self, *arguments: str, given: str = "") -> Result:
        headers = ["--headers", str(self._headers)]
        return run("assign-owners", self.url, *headers, *arguments, given=given)


@pytest.fixture
def old(live_server: LiveServer, tmp_path: Path) -> Iterator[OldServer]:
    with live_server.server.served() as url:
        server = OldServer(live_server, url, tmp_path)
        server.restore()
        yield server


def test_dry_run_counts_and_writes_nothing(old: OldServer) -> None:
    made = old.make(user_id="alice", org_id="acme")
    before = old.metadata(made)
    done = old.assign_owners(*BY_USER)
    assert (done.exit_code, "--write" in done.output) == (0, True)
    assert old.metadata(made) == before


def test_stamped_objects_belong_to_their_users(old: OldServer, live_server: LiveServer) -> None:
    made = old.make(user_id="alice", org_id="acme")
    done = old.assign_owners(*BY_USER, "--write")
    assert done.exit_code == 0, done.output
    for metadata in old.metadata(made):
        assert (metadata["owner"], metadata["tenant"], metadata["job"]) == ("alice", "acme", old.job)
    live_server.enforce()
    alice, bob = live_server.user("alice", *EVENTS), live_server.user("bob", *EVENTS)
    assert [visible(alice, made), visible(bob, made)] == [[200, 200, 200], [404, 404, 404]]


def test_cron_of_another_creator_does_not_run(old: OldServer, live_server: LiveServer) -> None:
    """The scheduler compares the owner with the creator of the cron. Here they differ."""
    cron = old.make(user_id="alice", org_id="acme")["/runs/crons"]
    old.assign_owners(*BY_USER, "--write")
    live_server.enforce()
    alice = live_server.user("alice", *EVENTS)
    change = {"schedule": "* * * * * *", "metadata": {"job": "adopted"}, "on_run_completed": "keep"}
    assert alice("PATCH", f"/runs/crons/{cron}", change).json()["payload"]["metadata"]["authorized_until"] > 0
    live_server.wait_for_denial(ErrorCode.SCHEDULER_NOT_ALLOWED)
    assert alice("DELETE", f"/runs/crons/{cron}").is_success
    assert live_server.user("root", "root").search("threads", job="adopted") == []


def visible(sample_user: SampleUser, made: dict[str, str]) -> list[int]:
    return [sample_user("GET", f"{path}/{id_}").status_code for path, id_ in made.items()]


def test_second_run_only_handles_remaining_objects(old: OldServer) -> None:
    made = old.make(user_id="alice", org_id="acme")
    owned = old.make(user_id="alice", owner="bob")
    old.assign_owners(*BY_USER, "--write")
    before = old.metadata(made)
    late = old.make(user_id="late")
    counted = json.loads(old.assign_owners(*BY_USER, "--write", "--json").stdout)
    assert [counted[kind]["assigned"] for kind in ("threads", "assistants", "crons")] == [1, 1, 1]
    assert [metadata["owner"] for metadata in old.metadata(late)] == ["late"] * 3
    assert [metadata["tenant"] for metadata in old.metadata(late)] == [None] * 3
    assert old.metadata(made) == before
    assert [metadata["owner"] for metadata in old.metadata(owned)] == ["bob"] * 3


def test_map_assigns_known_names_only(old: OldServer, messages: Messages) -> None:
    known, unknown = old.make(mail="alice@x.com"), old.make(mail="eve@x.com")
    odd = old.make(mail=["alice@x.com"])
    done = old.assign_owners("--owner-from", "mail", "--map", "-", "--write", given='{"alice@x.com": "auth0|1"}')
    messages.check(next(line for line in done.output.splitlines() if "@all" in line))
    assert [metadata["owner"] for metadata in old.metadata(known)] == ["auth0|1"] * 3
    assert all("tenant" not in metadata for metadata in old.metadata(known))
    assert all("owner" not in metadata for metadata in old.metadata(unknown) + old.metadata(odd))


def test_unmapped_names_are_listed_separately(old: OldServer) -> None:
    names = [f"{number:02}@x.com" for number in range(22)]
    for name in names:
        old.request("POST", "/threads", {"metadata": {"who": name}})
    old.request("POST", "/threads", {"metadata": {"who": [names[0]]}})
    arguments = ["--owner-from", "who", "--map", "-"]
    counted = json.loads(old.assign_owners(*arguments, "--json", given="{}").stdout)
    assert (counted["threads"]["unmapped"], counted["unmapped"]) == (22, names)
    assert counted["threads"]["unknown"] > 0
    shown = old.assign_owners(*arguments, given="{}")
    assert "'19@x.com' and 2 more" in shown.stdout
    assert (names[20] in shown.stdout, shown.stderr) == (False, "")


def test_protected_server_is_reported_with_hint(old: OldServer, live_server: LiveServer, messages: Messages) -> None:
    live_server.enforce()
    done = old.assign_owners(*BY_USER)
    old.restore()
    assert done.exit_code == 1
    messages.check(error_of(done), {old.url: "SERVER"})
    assert (done.stderr.startswith("Error"), "mozilla" in done.output) == (True, False)


def test_renamed_owner_is_updated_once(old: OldServer) -> None:
    renamed, left = old.make(owner="alice@x.com", org="acme"), old.make(owner="eve@x.com")
    rename = ["--owner-from", "owner", "--tenant-from", "org", "--map", "-", "--write", "--json"]
    counts = [
        json.loads(old.assign_owners(*rename, given='{"alice@x.com": "auth0|7"}').stdout)["threads"] for _ in range(2)
    ]
    assert [count["assigned"] for count in counts] == [1, 0]
    assert [(one["owner"], one["tenant"]) for one in old.metadata(renamed)] == [("auth0|7", "acme")] * 3
    assert [one["owner"] for one in old.metadata(left)] == ["eve@x.com"] * 3


SHARED = {"shared_with": ["old-bob", "cora"], "shared_editors": ["old-dan", "dan"], "shared_approvers": []}


def test_lists_follow_renamed_users(old: OldServer) -> None:
    """A thread of a user who keeps the identity changes too."""
    paths = [old.make(owner=owner, **SHARED) for owner in ("old-al", "eve")]
    rename = ["--owner-from", "owner", "--map", "-", "--json"]
    names = json.dumps({"old-al": "al", "old-bob": "bob", "old-dan": "dan"})
    dry = json.loads(old.assign_owners(*rename, given=names).stdout)["threads"]
    assert [old.metadata(made)[0]["shared_with"] for made in paths] == [SHARED["shared_with"]] * 2
    counts = [json.loads(old.assign_owners(*rename, "--write", given=names).stdout)["threads"] for _ in range(2)]
    assert [count["lists"] for count in (dry, *counts)] == [2, 2, 0]
    renamed = {"shared_with": ["bob", "cora"], "shared_editors": ["dan"], "shared_approvers": []}
    for made, owner in zip(paths, ("al", "eve"), strict=True):
        thread, assistant, _ = old.metadata(made)
        assert thread == {"job": old.job, "owner": owner, **renamed}
        assert {key: assistant[key] for key in SHARED} == SHARED


def test_adopted_thread_loses_forged_lists(old: OldServer) -> None:
    made, unknown = old.make(user_id="alice", shared_editors=["mallory"]), old.make(shared_editors=["mallory"])
    done = json.loads(old.assign_owners("--owner-from", "user_id", "--write", "--json").stdout)
    assert done["threads"]["lists"] == 1
    assert (old.metadata(made)[0]["owner"], old.metadata(made)[0]["shared_editors"]) == ("alice", [])
    assert old.metadata(unknown)[0]["shared_editors"] == ["mallory"]


def test_missing_tenant_is_added_to_owner(old: OldServer) -> None:
    made = old.make(owner="auth0|8", org="acme")
    tenant = ["--owner-from", "owner", "--tenant-from", "org", "--write"]
    for _ in range(2):
        assert old.assign_owners(*tenant).exit_code == 0
    assert [(one["owner"], one["tenant"]) for one in old.metadata(made)] == [("auth0|8", "acme")] * 3


def test_ambiguous_map_is_rejected(old: OldServer, messages: Messages) -> None:
    done = old.assign_owners("--owner-from", "owner", "--map", "-", given='{"a": "b", "b": "c"}')
    assert done.exit_code == 1
    messages.check(error_of(done))


def test_missing_tenant_is_counted_and_added(old: OldServer, live_server: LiveServer, messages: Messages) -> None:
    made = old.make(user_id="alice", org_id="acme")
    old.assign_owners("--owner-from", "user_id", "--write")
    again = old.assign_owners(*BY_USER, "--write", "--json")
    assert [count["tenantless"] >= 1 for count in counts_of(again)] == [True] * 3
    assert all("tenant" not in one for one in old.metadata(made))
    output = old.assign_owners(*BY_USER).output
    messages.check(next(line.strip() for line in output.splitlines() if "--tenant-from KEY" in line))
    done = counts_of(old.assign_owners("--owner-from", "owner", "--tenant-from", "org_id", "--write", "--json"))
    assert [count["assigned"] >= 1 for count in done] == [True] * 3
    assert [(one["owner"], one["tenant"]) for one in old.metadata(made)] == [("alice", "acme")] * 3
    live_server.enforce()
    assert visible(live_server.user("alice", *EVENTS), made) == [200, 200, 200]


def counts_of(done: Result) -> list[dict[str, int]]:
    counted = json.loads(done.stdout)
    return [counted[kind] for kind in ("threads", "assistants", "crons")]


@pytest.mark.parametrize("owner", [{}, {"owner": "alice", "tenant": "acme"}], ids=["no owner", "an owner"])
def test_forged_system_mark_is_removed(old: OldServer, live_server: LiveServer, owner: dict[str, str]) -> None:
    made = old.make(user_id="alice", org_id="acme", created_by="system", **owner)
    assert [count["forged"] for count in counts_of(old.assign_owners(*BY_USER, "--json"))] == [1, 1, 1]
    assert [one["created_by"] for one in old.metadata(made)] == ["system"] * 3
    assert old.assign_owners(*BY_USER, "--write").exit_code == 0
    assert [count["forged"] for count in counts_of(old.assign_owners(*BY_USER, "--json"))] == [0, 0, 0]
    live_server.enforce()
    alice, bob = live_server.user("alice", *EVENTS), live_server.user("bob", *EVENTS)
    assert [visible(alice, made), visible(bob, made)] == [[200, 200, 200], [404, 404, 404]]


def test_forged_mark_without_owner_is_counted(old: OldServer) -> None:
    made = old.make(created_by="system")
    for _ in range(2):
        assert [count["forged"] for count in counts_of(old.assign_owners(*BY_USER, "--write", "--json"))] == [1, 1, 1]
    assert [one["created_by"] for one in old.metadata(made)] == ["system"] * 3
    for path, id_ in made.items():
        old.delete(f"{path}/{id_}")


@pytest.mark.parametrize("tenant", [{"id": "acme"}, 5.5, ["acme", {}], " ", "x" * 256])
def test_invalid_tenant_is_not_treated_as_none(old: OldServer, tenant: object) -> None:
    made = old.make(user_id="alice", org_id=tenant)
    assert old.assign_owners(*BY_USER, "--write").exit_code == 0
    assert all("owner" not in one and "tenant" not in one for one in old.metadata(made))


@pytest.mark.parametrize(
    ("tenant", "stamped"), [(["acme"], "acme"), (7, "7"), (True, "true"), (["acme", 7], None), ("", None), (None, None)]
)
def test_tenant_is_read_as_in_token(old: OldServer, tenant: object, stamped: str | None) -> None:
    made = old.make(user_id="alice", org_id=tenant)
    old.assign_owners(*BY_USER, "--write")
    assert [one["tenant"] for one in old.metadata(made)] == [stamped] * 3


@pytest.mark.parametrize("name", ["system", "anonymous", "*", " ", "x" * 256, 7])
def test_invalid_owner_name_is_unknown(old: OldServer, name: object) -> None:
    made = old.make(user_id=name)
    old.assign_owners(*BY_USER, "--write")
    assert all("owner" not in one for one in old.metadata(made))


def test_built_in_assistants_are_unchanged(old: OldServer) -> None:
    old.assign_owners("--owner-from", "created_by", "--write")
    built_in = old.request("POST", "/assistants/search", {"metadata": {"created_by": "system"}})
    assert built_in
    assert all("owner" not in assistant["metadata"] for assistant in built_in)


def test_multiple_pages_are_processed(old: OldServer) -> None:
    for _ in range(101):
        old.request("POST", "/threads", {"metadata": {"many": old.job}})
    counted = json.loads(old.assign_owners("--owner-from", "many", "--write", "--json").stdout)
    assert counted["threads"]["assigned"] == 101


def test_already_protected_server_is_reported(old: OldServer, live_server: LiveServer, messages: Messages) -> None:
    made = old.make(user_id="alice", org_id="acme")
    live_server.enforce()
    token = live_server.user("root", "root").token
    done = old.assign_owners(*BY_USER, "--write", "--headers", "-", given=f"authorization: Bearer {token}\n")
    assert done.exit_code == 1
    messages.check(error_of(done), {old.url: "SERVER"})
    old.restore()
    assert all("owner" not in metadata for metadata in old.metadata(made))


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["--map", "-"], "no json"),
        (["--map", "-"], '{"a": 1}'),
        (["--map", "-"], "[]"),
        (["--headers", "-"], "no header"),
        (["--headers", "-"], "x-api-key: s3cr3t\x01"),
        (["--headers", "-"], "x-api-key: s3cr3té"),
        (["--headers", "-"], "x api key: s3cr3t"),
        (["--headers", "-"], "x-api-key: wrong"),
    ],
)
def test_invalid_arguments_are_reported(old: OldServer, arguments: list[str], given: str, messages: Messages) -> None:
    done = old.assign_owners("--owner-from", "user_id", *arguments, given=given)
    assert done.exit_code == 1, done.output
    messages.check(error_of(done), {old.url: "SERVER"})
    assert "s3cr3t" not in done.output


def adopt_from(url: str, folder: Path) -> Result:
    headers = folder / "headers"
    headers.write_text("x-api-key: s3cr3t\n", "utf-8")
    return run("assign-owners", url, "--owner-from", "user_id", "--headers", str(headers))


def test_headers_need_https_or_loopback(tmp_path: Path, messages: Messages) -> None:
    done = adopt_from("http://server.invalid:2024", tmp_path)
    assert done.exit_code == 1, done.output
    messages.check(error_of(done))


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_loopback_headers_bypass_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    # A client that connects to the proxy is refused too. Only the address of the connection shows the difference.
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
def test_url_with_secret_is_rejected_and_hidden(url: str, messages: Messages) -> None:
    done = run("assign-owners", url, "--owner-from", "user_id")
    assert done.exit_code == 2, done.output
    messages.check(error_of(done))
    assert "s3cr3t" not in done.output


def test_documented_commands_work(old: OldServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("headers.txt").write_text("x-api-key: old key", "utf-8")
    Path("names.json").write_text('{"alice@acme.com": "auth0|64f1"}', "utf-8")
    made = old.make(user_id="alice@acme.com", org_id="acme")
    commands = re.findall(r"oidc-auth assign-owners http://127.0.0.1:2024 (.*)", PAGE.read_text("utf-8"))
    assert [old.assign_owners(*shlex.split(command)).exit_code for command in commands] == [0] * 5
    assert [metadata["owner"] for metadata in old.metadata(made)] == ["auth0|64f1"] * 3
