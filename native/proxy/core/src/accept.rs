//! Takes connections from one listener of a pod, and refuses them at a limit.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::address::Endpoint;
use crate::limit::Place;
use crate::plane::Shared;
use crate::pod::Pod;
use crate::route::Route;
use crate::serve::{Accepted, refuse, serve};
use crate::socket::Socket;
use crate::threads::Threads;
use crate::verdict::Reason;
use crate::{inbound, outbound};

/// When the system is out of descriptors or memory, a moment later it may not be.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// A connection has two sockets.
const DESCRIPTORS: u64 = 2;

/// What an accept loop works with.
#[derive(Clone)]
pub(crate) struct Acceptor {
    pub(crate) plane: Shared,
    pub(crate) threads: Arc<Threads>,
    pub(crate) pod: Arc<Pod>,
}

impl Acceptor {
    /// For ever.
    pub(crate) async fn run(self, listener: Socket) {
        loop {
            let Ok((descriptor, peer)) = listener.accept().await else {
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            };
            // A socket that ended meanwhile has nothing to tell.
            let _ = self.take(descriptor, peer);
        }
    }

    /// Never waits, so that refusing is cheap.
    fn take(&self, descriptor: OwnedFd, peer: Endpoint) -> io::Result<()> {
        let (handle, seat) = self.threads.seat();
        let _within = handle.enter(); // the thread that will carry it is the one to watch it
        let client = Socket::new(descriptor)?;
        let route = self.route(&client, peer)?;
        match self.place() {
            Ok(place) => {
                self.plane.descriptors.opened(DESCRIPTORS);
                let accepted = Accepted { client, place, seat };
                handle.spawn(serve(self.plane.clone(), self.pod.clone(), route, accepted));
            }
            Err(reason) => refuse(&self.plane, &self.pod, route.refused(reason), client),
        }
        Ok(())
    }

    fn route(&self, client: &Socket, peer: Endpoint) -> io::Result<Route> {
        let snapshot = self.plane.snapshot.load();
        let origin = match &self.plane.maps {
            Some(maps) => maps.origin(client.as_fd())?,
            None => None,
        };
        Ok(match origin {
            Some(origin) => outbound::route(&snapshot, self.pod.workload, peer, &origin),
            None => inbound::route(&snapshot, self.pod.workload, peer, client.local()?),
        })
    }

    fn place(&self) -> Result<Place, Reason> {
        if self.plane.descriptors.is_in_reserve() {
            return Err(Reason::TableFull);
        }
        let limit = self.plane.snapshot.load().limits().connections_per_pod;
        self.pod.connections.take(limit).ok_or(Reason::ConnectionLimit)
    }
}
