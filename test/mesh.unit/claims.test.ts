import test from "ava";
import { formatAddress } from "../../src/mesh/address.ts";
import { AddressClaims } from "../../src/mesh/claims.ts";
import { pod } from "../helpers/resources.ts";

const made = (name: string, creationTimestamp?: string) =>
  pod("shop", name, "10.0.0.1", { metadata: { creationTimestamp } });

function own(claims: AddressClaims, key: string, of: ReturnType<typeof pod>): string[] {
  return claims.settle(key, of).own.map(formatAddress);
}

test("an address that two pods claim belongs to the one made last, whichever came first", (t) => {
  const claims = new AddressClaims();
  const [young, old] = [made("young", "2026-01-02T00:00:00Z"), made("old", "2026-01-01T00:00:00Z")];
  claims.update("young", undefined, young);
  t.deepEqual(claims.update("old", undefined, old), new Set(["young"]));
  t.deepEqual(own(claims, "young", young), ["10.0.0.1"]);
  t.deepEqual(claims.settle("old", old), { own: [], lost: [{ address: "10.0.0.1", to: "young" }] });
});

test("without times the one that came last has it, and changing the other does not take it back", (t) => {
  const claims = new AddressClaims();
  const [first, second] = [made("first"), made("second")];
  claims.update("first", undefined, first);
  claims.update("second", undefined, second);
  claims.update("first", first, made("first"));
  t.deepEqual(own(claims, "second", second), ["10.0.0.1"]);
});

test("an address goes back when the newer pod leaves or ends", (t) => {
  const claims = new AddressClaims();
  const [first, second] = [made("first"), made("second")];
  claims.update("first", undefined, first);
  claims.update("second", undefined, second);
  t.deepEqual(
    claims.update("second", second, pod("shop", "second", "10.0.0.1", { status: { phase: "Failed" } })),
    new Set(["first"]),
  );
  t.deepEqual(own(claims, "first", first), ["10.0.0.1"]);
});

test("pods on the node's network claim no address", (t) => {
  const claims = new AddressClaims();
  const host = pod("shop", "host", "10.0.0.1", { spec: { hostNetwork: true } });
  claims.update("host", undefined, host);
  t.deepEqual(claims.settle("host", host), { own: [], lost: [] });
});
