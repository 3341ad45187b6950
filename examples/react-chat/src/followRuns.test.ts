import { expect, test } from "vitest";
import { continued, type Part } from "./followRuns";

const value = (id: string): Part => ({ id, event: "values", data: id });
const error = (name: string): Part => ({ event: "error", data: { error: name } });

async function* stream(...parts: Part[]) {
  yield* parts;
}

async function read(first: AsyncIterable<unknown>) {
  const parts: unknown[] = [];
  for await (const part of first) parts.push(part);
  return parts;
}

test("a stream continues after the last event", async () => {
  const asked: string[] = [];
  const later = [stream(value("3"), error("token_expired")), stream(value("4"))];
  const parts = continued(stream(value("1"), value("2"), error("token_expired")), (id) => {
    asked.push(id);
    return later.shift() ?? null;
  });
  expect(await read(parts)).toEqual(["1", "2", "3", "4"].map(value));
  expect(asked).toEqual(["2", "3"]);
});

test("a stream without events continues at the beginning", async () => {
  const asked: string[] = [];
  await read(continued(stream(error("token_expired")), (id) => (asked.push(id), stream())));
  expect(asked).toEqual(["-1"]);
});

test("other errors reach the caller", async () => {
  const parts = [value("1"), error("token_revoked")];
  expect(await read(continued(stream(...parts), () => stream(value("2"))))).toEqual(parts);
});

test("an expiry without a run reaches the caller", async () => {
  const parts = [error("token_expired")];
  expect(await read(continued(stream(...parts), () => null))).toEqual(parts);
});
