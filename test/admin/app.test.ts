import test from "ava";
import { buildAdminApp } from "../../src/admin/app.ts";
import { errorCatalogue } from "../../src/errors.ts";
import { cart, cartService, web } from "../flows/rows.ts";
import { elsewhere, testAgent } from "./agent.ts";

function ask() {
  const agent = testAgent();
  const app = buildAdminApp(agent);
  const get = async (url: string) => {
    const response = await app.inject({ url });
    return { status: response.statusCode, body: response.json() };
  };
  const lines = async (query: string) => {
    const response = await app.inject({ url: `/flows?${query}` });
    return response.body
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };
  return { agent, app, get, lines };
}

test("the status is what the agent says of itself", async (t) => {
  const { get, agent } = ask();
  t.deepEqual(await get("/status"), { status: 200, body: JSON.parse(JSON.stringify(agent.status())) });
});

test("workloads are listed in order, with addresses and identity as text", async (t) => {
  const { body } = await ask().get("/workloads");
  t.deepEqual(
    body.map(({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`),
    ["shop/cart-1", "shop/far-1", "shop/web-1", "tools/probe-1"],
  );
  t.like(body[2], {
    addresses: ["10.0.0.1"],
    identity: "spiffe://cluster.local/ns/shop/sa/web",
    workload: { kind: "Deployment", name: "web" },
    captured: true,
  });
});

test("lists can be narrowed to a namespace", async (t) => {
  const { get } = ask();
  t.is((await get("/workloads?namespace=tools")).body.length, 1);
  t.is((await get("/services?namespace=none")).body.length, 0);
  t.like((await get("/services?namespace=shop")).body[0], { name: "cart", addresses: ["10.96.0.7"] });
  t.like((await get("/policies")).body[0], { name: "no-tools", rules: ["from namespaces tools"] });
});

test("flows come as lines of JSON, in order, and filtered", async (t) => {
  const { lines } = ask();
  t.deepEqual(
    (await lines("")).map(({ flow }) => flow.id),
    ["a-z", "a-10", "a-11"],
  );
  t.deepEqual(
    (await lines("last=1")).map(({ flow }) => flow.id),
    ["a-11"],
  );
  t.deepEqual(
    (await lines("first=1")).map(({ flow }) => flow.id),
    ["a-z"],
  );
  const allow = encodeURIComponent(JSON.stringify([{ verdict: ["DROPPED"] }]));
  t.deepEqual(
    (await lines(`allow=${allow}`)).map(({ flow }) => flow.id),
    ["a-11"],
  );
  t.deepEqual(
    (await lines(`deny=${allow}`)).map(({ flow }) => flow.id),
    ["a-z", "a-10"],
  );
  t.is((await lines(`since=${new Date(Date.now() + 60_000).toISOString()}`)).length, 0);
  t.like((await lines("last=1&form=hubble"))[0], {
    node_name: "east/a",
    flow: { verdict: "DROPPED", is_reply: false },
  });
});

test("one flow is found by its id", async (t) => {
  const { get } = ask();
  t.like((await get("/flows/a-11")).body, { id: "a-11", verdict: "denied", reason: { code: "DENY_RULE" } });
  const missing = await get("/flows/a-zz");
  t.is(missing.status, 404);
  t.deepEqual(missing.body, {
    code: "NOT_FOUND",
    message: "there is no flow a-zz in the memory of this agent",
    next: errorCatalogue.NOT_FOUND.next,
  });
});

test("a connection that could be is put to the evaluator with the identity the kernel would prove", async (t) => {
  const { get, agent, app } = ask();
  const { body } = await get("/why?from=shop/web-1&to=shop/cart-1:8080");
  t.deepEqual(agent.asked[0], {
    sourceWorkload: web.id,
    source: web.addresses[0]!,
    destinationWorkload: cart.id,
    destination: cart.addresses[0]!,
    port: 8080,
  });
  t.like(body, { from: "shop/web-1", to: "shop/cart-1:8080", explanation: { allowed: true } });
  const posted = await app.inject({ method: "POST", url: "/why", payload: { from: "10.0.0.3", to: "10.0.0.2:1" } });
  t.like(posted.json(), { from: "tools/probe-1", to: "shop/cart-1:1" });
});

test("a client on another node, or outside the mesh, is asked about without an identity", async (t) => {
  const { get, agent } = ask();
  const { body } = await get("/why?from=shop/far-1&to=shop/cart-1:8080");
  t.is(agent.asked[0]!.sourceWorkload, 0);
  t.deepEqual(agent.asked[0]!.source, elsewhere.addresses[0]!);
  t.regex(body.identity, /^not proved: the client runs on node b/);
  t.is((await get("/why?from=8.8.8.8&to=shop/cart-1:8080")).body.identity, "none: the client is not in the mesh");
});

test("a server on another node is asked about without an identity, because none reaches that node", async (t) => {
  const { get, agent } = ask();
  const { body } = await get("/why?from=shop/web-1&to=shop/far-1:8080");
  t.is(agent.asked[0]!.sourceWorkload, 0);
  t.regex(body.identity, /^not proved at the destination: it runs on node b/);
});

test("the address of a Service is asked about as an endpoint of it", async (t) => {
  const { get, agent } = ask();
  const endpoints = [{ address: cart.addresses[0]!, port: 8080 }];
  const ports = [
    { name: "http", port: 80, endpoints },
    { name: "idle", port: 81, endpoints: [] },
  ];
  agent.services = () => [{ ...cartService, ports }];
  const { body } = await get("/why?from=shop/web-1&to=10.96.0.7:80");
  t.like(agent.asked[0], { sourceWorkload: web.id, destinationWorkload: cart.id, port: 8080 });
  t.is(body.to, "shop/cart-1:8080 (an endpoint of Service shop/cart)");
  const message = async (url: string) => (await get(url)).body.message;
  t.is(await message("/why?from=shop/web-1&to=10.96.0.7:9"), "there is no port 9 of Service shop/cart");
  t.is(await message("/why?from=shop/web-1&to=10.96.0.7:81"), "there is no ready endpoint of Service shop/cart");
});

test("a flow is explained by its verdict then and the policies now", async (t) => {
  const { body } = await ask().get("/why?flow=a-11");
  t.like(body, {
    from: "tools/probe-1",
    to: "shop/cart-1:8080",
    flow: { verdict: "denied" },
    explanation: { allowed: false },
  });
});

for (const [what, url] of Object.entries({
  "both a flow and ends": "/why?flow=a-11&from=shop/web-1",
  "only one end": "/why?from=shop/web-1",
  "an end without a port": "/why?from=shop/web-1&to=shop/cart-1",
  "an end that is no name": "/why?from=web&to=shop/cart-1:1",
  "first with follow": "/flows?first=1&follow=true",
  "a number that is none": "/flows?last=x",
  "a negative number": "/flows?last=-1",
  "a time that is none": "/flows?since=yesterday",
  "filters that are no JSON": "/flows?allow=%7B",
  "filters that are no list": "/flows?allow=%7B%7D",
  "filters whose fields are no lists": "/flows?allow=%5B%7B%22uuid%22:1%7D%5D",
  "a filter that does not exist": "/flows?allow=%5B%7B%22colour%22:%5B1%5D%7D%5D",
  "a value of a wrong kind": "/flows?allow=%5B%7B%22sourceIp%22:%5B1%5D%7D%5D",
})) {
  test(`${what} is refused with code, sentence and what to do`, async (t) => {
    const { status, body } = await ask().get(url);
    t.is(status, 400);
    t.like(body, { code: "QUERY_INVALID" });
    t.regex(body.message, /^the question cannot be answered: /);
    t.true(body.next.length > 0);
  });
}

test("what does not exist is said so", async (t) => {
  const { get } = ask();
  t.like((await get("/why?from=shop/nobody&to=shop/cart-1:1")).body, {
    code: "NOT_FOUND",
    message: "there is no pod shop/nobody",
  });
  t.like(await get("/nothing"), { status: 404, body: { code: "NOT_FOUND", message: "there is no GET /nothing" } });
});
