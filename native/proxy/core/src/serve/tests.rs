//! What a connection costs while nothing happens.

use super::*;
use crate::address::{ClientAddr, Endpoint, OrigDst, ServerAddr};
use crate::namespace::Home;
use crate::pod::Pod;
use crate::route::{Judged, Role};
use crate::verdict::{Action, Verdict};

/// Of the 8 KB for an idle proxied connection; tokio adds about 0.6 KB for two watched sockets and the task's header.
const TASK_BYTES_MAX: usize = 2048;
const CONNECTION_BYTES_MAX: usize = 512;

#[tokio::test]
async fn an_idle_connection_is_small() {
    let plane = Shared::new(Plane::new(None));
    let namespace = Home::new().unwrap().namespace("/proc/self/ns/net").unwrap();
    let pod = Arc::new(Pod { workload: 1, namespace, connections: Default::default() });
    let endpoint = Endpoint { address: std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets().into(), port: 1 };
    let route = Route {
        role: Role::Arriving,
        client: ClientAddr(endpoint),
        server: ServerAddr(endpoint),
        dialled: OrigDst(endpoint),
        source_workload: 0,
        destination_workload: 1,
        service: 0,
        judged: Judged::Fixed(Verdict::fixed(Action::Allow, Reason::NoPolicy)),
    };
    let client = Socket::new(crate::socket::own_socket(false).unwrap().into()).unwrap();
    let (threads, running) = crate::threads::Threads::start(1).unwrap();
    let (place, seat) = (pod.connections.take(1).unwrap(), threads.seat().1);
    let task = serve(plane, pod, route, Accepted { client, place, seat });
    assert!(size_of_val(&task) <= TASK_BYTES_MAX, "{} bytes", size_of_val(&task));
    running.close();
    assert!(size_of::<Connection>() <= CONNECTION_BYTES_MAX, "{} bytes", size_of::<Connection>());
}
