// Bytes from the client to the server, as fast as they are taken, in writes of 64 KiB.
import { ports } from "../bench.ts";
import { carriesLoad, type Row, withOwnCpus } from "./row.ts";

const throughput = (name: string, title: string, streams: number): Row => ({
  name,
  figures: [
    { name: `${name}.rate`, title, unit: "GB/s", digits: 2 },
    { name: `${name}.cpu`, title: `${title}: CPU of the machine`, unit: "s/GB", digits: 2 },
    { name: `${name}.own`, title: `${title}: CPU of the peer's processes`, unit: "s/GB", digits: 2 },
  ],
  measures: carriesLoad,
  async run(bench, peer) {
    const flags = ["--connections", String(streams)];
    const load = () => bench.load("stream", peer.address, ports.sink, flags);
    const [{ bytes, seconds, busySeconds }, ownCpus] = await withOwnCpus(peer, load);
    const rate = bytes / 1e9 / seconds;
    return { [`${name}.rate`]: rate, [`${name}.cpu`]: busySeconds / (bytes / 1e9), [`${name}.own`]: ownCpus / rate };
  },
});

export const oneStream: Row = throughput("stream1", "one stream", 1);
export const eightStreams: Row = throughput("stream8", "eight streams", 8);
