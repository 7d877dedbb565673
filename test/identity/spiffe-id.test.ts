import test from "ava";
import { parseSpiffeId, printSpiffeId } from "../../src/identity/spiffe-id.ts";

test("an id and its parts are two forms of one thing", (t) => {
  const parts = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web.v1" };
  const id = printSpiffeId(parts);
  t.is(id as string, "spiffe://cluster.local/ns/shop/sa/web.v1");
  t.deepEqual(parseSpiffeId(id), parts);
});

for (const text of [
  "",
  "spiffe://cluster.local",
  "spiffe://cluster.local/ns/shop",
  "spiffe://cluster.local/ns/shop/sa/",
  "spiffe://cluster.local/ns/shop/sa/web/",
  "spiffe://cluster.local/ns/shop/sa/web/more",
  "spiffe://cluster.local/ns/../sa/web",
  "spiffe://cluster.local/ns/shop/sa/web?x",
  "spiffe://cluster.local/ns/shop/sa/web#x",
  "spiffe://cluster.local:80/ns/shop/sa/web",
  "spiffe://user@cluster.local/ns/shop/sa/web",
  "spiffe://Cluster.local/ns/shop/sa/web",
  "spiffe://cluster.local/ns/Shop/sa/web",
  "spiffe://cluster.local/ns/sh%6fp/sa/web",
  "SPIFFE://cluster.local/ns/shop/sa/web",
  "https://cluster.local/ns/shop/sa/web",
  " spiffe://cluster.local/ns/shop/sa/web",
  "spiffe://cluster.local/ns/shop/sa/web\n",
  `spiffe://cluster.local/ns/shop/sa/${"x".repeat(254)}`,
  `spiffe://${"x".repeat(5000)}/ns/shop/sa/web`,
]) {
  test(`${JSON.stringify(text.slice(0, 60))} of ${text.length} characters is no workload's id`, (t) => {
    t.is(parseSpiffeId(text), undefined);
  });
}

test("a part that holds a slash forges nothing", (t) => {
  t.throws(() => printSpiffeId({ trustDomain: "d", namespace: "a/sa/b", serviceAccount: "c" }), {
    instanceOf: RangeError,
  });
});
