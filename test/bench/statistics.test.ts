import test from "ava";
import { Results } from "../../bench/results.ts";
import { median, pairedRatios, quantile, spread } from "../../bench/statistics.ts";
import { judge } from "../../bench/targets.ts";

test("a quantile lies between its neighbours in proportion", (t) => {
  t.is(median([3, 1, 2]), 2);
  t.is(median([1, 2, 3, 4]), 2.5);
  t.is(quantile([0, 10], 0.9), 9);
  t.true(Number.isNaN(median([])));
  t.is(spread([9, 10, 11]), 0.2);
});

test("ratios pair what was measured in the same round, and leave out rounds with a hole", (t) => {
  t.deepEqual(pairedRatios([2, undefined, 9], [1, 5, 3]), [2, 3]);
  t.deepEqual(pairedRatios([1], [0]), []);
});

test("a failed round leaves a hole where its sample would be", (t) => {
  const results = new Results();
  results.add(0, "native", { "stream1.rate": 2 });
  results.add(2, "native", { "stream1.rate": 4 });
  results.add(1, "weir-direct", { "stream1.rate": 9 });
  results.add(2, "weir-direct", { "stream1.rate": 4, "stream1.own": Number.NaN });
  t.deepEqual(results.byRound("stream1.rate", "native"), [2, undefined, 4]);
  t.is(results.ratio("stream1.rate", "weir-direct", "native"), 1);
  t.deepEqual(results.samples("stream1.own", "weir-direct"), []);
});

test("a target is met, missed, or not measured", (t) => {
  const results = new Results();
  results.add(0, "native", { "stream1.rate": 100, "connect.rate": 100 });
  results.add(0, "weir-direct", { "stream1.rate": 97, "connect.rate": 91 });
  const met = new Map(judge(results).map(({ target, met }) => [target.says, met]));
  t.true(met.get("direct over native: one stream"));
  t.false(met.get("direct over native: new connections"));
  t.is(met.get("agent idle, PSS"), undefined);
});
