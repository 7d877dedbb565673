//! Takes connections from one listener of a pod, and refuses them at a limit.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::address::Endpoint;
use crate::limit::Place;
use crate::plane::{Plane, Shared};
use crate::pod::Pod;
use crate::route::Route;
use crate::serve::{refuse, serve};
use crate::socket::Socket;
use crate::verdict::Reason;
use crate::{inbound, outbound};

/// When the system is out of descriptors or memory, a moment later it may not be.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// A connection has two sockets.
const DESCRIPTORS: u64 = 2;

/// For ever.
pub(crate) async fn accept(plane: Shared, pod: Arc<Pod>, listener: Socket) {
    loop {
        let Ok((descriptor, peer)) = listener.accept().await else {
            tokio::time::sleep(RETRY_DELAY).await;
            continue;
        };
        // A socket that ended meanwhile has nothing to tell.
        let _ = take(&plane, &pod, descriptor, peer);
    }
}

/// Never waits, so that refusing is cheap.
fn take(plane: &Shared, pod: &Arc<Pod>, descriptor: OwnedFd, peer: Endpoint) -> io::Result<()> {
    let client = Socket::new(descriptor)?;
    let route = route(plane, pod, &client, peer)?;
    match place(plane, pod) {
        Ok(place) => {
            plane.descriptors.opened(DESCRIPTORS);
            tokio::spawn(serve(plane.clone(), pod.clone(), route, (client, place)));
        }
        Err(reason) => refuse(plane, pod, route.refused(reason), client),
    }
    Ok(())
}

fn route(plane: &Plane, pod: &Pod, client: &Socket, peer: Endpoint) -> io::Result<Route> {
    let snapshot = plane.snapshot.load();
    let origin = match &plane.maps {
        Some(maps) => maps.origin(client.as_fd())?,
        None => None,
    };
    Ok(match origin {
        Some(origin) => outbound::route(&snapshot, pod.workload, peer, &origin),
        None => inbound::route(&snapshot, pod.workload, peer, client.local()?),
    })
}

fn place(plane: &Plane, pod: &Pod) -> Result<Place, Reason> {
    if plane.descriptors.is_in_reserve() {
        return Err(Reason::TableFull);
    }
    let limit = plane.snapshot.load().limits().connections_per_pod;
    pod.connections.take(limit).ok_or(Reason::ConnectionLimit)
}
