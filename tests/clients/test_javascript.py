"""The examples of the page for JavaScript, in node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clients.harness import CONVERSATION, NOT_FOUND
from kit.cut_proxy import running_cut_proxy
from kit.snippets import block, write_files

if TYPE_CHECKING:
    from clients.harness import ClientServer, JavaScript
    from kit.page_server import PageServer

PAGE = "clients/javascript.md"


def test_five_lines_get_an_answer(javascript: JavaScript) -> None:
    (answer,) = javascript.run("""
        import { ask } from "./ask.js";
        console.log(JSON.stringify(await ask("hello")));
    """)
    assert [message["content"] for message in answer["messages"]] == CONVERSATION


def test_each_request_has_fresh_token(client_server: ClientServer, javascript: JavaScript, pages: PageServer) -> None:
    names = iter(["alice", "bob"])
    pages.issue_token = lambda: client_server.token(next(names))
    owners = javascript.run("""
        import { client } from "./client.js";
        for (const _ of [1, 2]) console.log(JSON.stringify((await client.threads.create()).metadata.owner));
    """)
    assert owners == ["alice", "bob"]


def test_every_kind_of_stream_asks_for_token(javascript: JavaScript, pages: PageServer) -> None:
    """Each request of the legacy streams and of the thread stream has its own token."""
    kinds = javascript.run("""
        import { client } from "./client.js";
        const input = { messages: [{ role: "user", content: "hello" }] };
        const { thread_id } = await client.threads.create();
        const kinds = [];
        for await (const part of client.runs.stream(thread_id, "agent", { input })) kinds.push(part.event);
        console.log(JSON.stringify(kinds));
        const thread = client.threads.stream({ assistantId: "agent" });
        await thread.run.start({ input });
        const values = await thread.output;
        await thread.close();
        console.log(JSON.stringify(values.messages.length));
    """)
    assert kinds == [["metadata", "values", "values"], 2]
    # A thread, a run, and at least one command and one stream.
    assert len(pages.issued) >= 4


def test_fetch_option_does_not_reach_thread_streams(client_server: ClientServer, javascript: JavaScript) -> None:
    """The page warns of this gap of the SDK."""
    found = javascript.run(
        """
        import { Client } from "@langchain/langgraph-sdk";
        import { getAccessToken } from "./token.js";
        const withToken = async (url, init) => {
          const headers = new Headers(init.headers);
          headers.set("Authorization", `Bearer ${await getAccessToken()}`);
          return await fetch(url, { ...init, headers });
        };
        const client = new Client({ apiUrl: process.env.API, apiKey: null, callerOptions: { fetch: withToken } });
        const input = { messages: [{ role: "user", content: "hello" }] };
        for (const options of [{}, { fetch: withToken }]) {
          const thread = client.threads.stream({ assistantId: "agent", ...options });
          await thread.run.start({ input }).then(() => thread.output).then(
            () => console.log(JSON.stringify("answered")),
            (error) => console.log(JSON.stringify(error.status ?? error.message)));
          await thread.close();
        }
    """,
        API=client_server.url,
    )
    assert found == [401, "answered"]


def test_expired_token_is_reported_as_documented(
    client_server: ClientServer, javascript: JavaScript, pages: PageServer
) -> None:
    pages.issue_token = lambda: client_server.token(lifetime=-60)
    (found,) = javascript.run("""
        import { explainRefusal } from "./refusal.js";
        console.log(JSON.stringify(await explainRefusal()));
    """)
    assert found == json.loads(block(PAGE, "Expired token", "json"))
    assert len(pages.issued) == 1  # the SDK does not retry a 401


def test_refused_actions_are_reported_as_documented(
    client_server: ClientServer, javascript: JavaScript, pages: PageServer
) -> None:
    users = iter([("alice", "editor"), ("alice", "viewer"), ("bob", "editor"), ("alice", "editor")])
    pages.issue_token = lambda: client_server.token(*next(users))
    viewer, other, owner = javascript.run("""
        import { client } from "./client.js";
        import { deleteThread } from "./delete.js";
        const { thread_id } = await client.threads.create();
        for (const _ of [1, 2, 3]) console.log(JSON.stringify(await deleteThread(thread_id)));
    """)
    assert viewer == block(PAGE, "Refused action", "text").strip()
    assert (other, owner) == (NOT_FOUND, "deleted")


def test_stream_has_all_events(javascript: JavaScript) -> None:
    (counts,) = javascript.run("""
        import { client } from "./client.js";
        import { follow } from "./follow.js";
        const input = { messages: [{ role: "user", content: "hello" }], steps: 3 };
        const { thread_id } = await client.threads.create();
        const counts = [];
        for await (const part of follow(thread_id, input))
          if (part.event === "values") counts.push(part.data.messages.length);
        console.log(JSON.stringify(counts));
    """)
    assert counts == [1, 2, 3, 4]


def test_lost_stream_continues_with_fresh_token(
    client_server: ClientServer, javascript: JavaScript, pages: PageServer
) -> None:
    tokens = [client_server.token(lifetime=lifetime) for lifetime in (301, 302, 303, 304)]
    unused = iter(tokens)
    pages.issue_token = lambda: next(unused)
    with running_cut_proxy(client_server.url) as proxy:
        write_files(PAGE, javascript.folder, proxy.url)
        (counts,) = javascript.run("""
            import { client } from "./client.js";
            const input = { messages: [{ role: "user", content: "hello" }], steps: 3 };
            const { thread_id } = await client.threads.create();
            const counts = [];
            const options = { input, streamMode: ["values"], streamResumable: true };
            for await (const part of client.runs.stream(thread_id, "agent", options))
              if (part.event === "values") counts.push(part.data.messages.length);
            console.log(JSON.stringify(counts));
        """)
    assert counts == [1, 2, 3, 4]
    streams = [(method, token) for method, path, token in proxy.requests() if "/stream" in path]
    assert streams == [("POST", tokens[1]), ("GET", tokens[2])]
