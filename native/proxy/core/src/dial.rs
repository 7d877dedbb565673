//! Reaches the far end from inside the pod's namespace, so that the source is the pod's own address.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::maps::Maps;
use crate::namespace::Namespace;
use crate::route::Route;
use crate::socket::{Socket, own_socket};

/// An error is one of the far end, or of the system; the client gets a reset for either.
pub(crate) async fn dial(maps: &Maps, namespace: &Namespace, route: &Route, timeout: Duration) -> io::Result<Socket> {
    let to = route.server.0;
    let socket = namespace.inside(|| own_socket(!to.address.is_ipv4())).map_err(io::Error::other)??;
    maps.exempt(socket.as_fd(), &route.exemption())?;
    tokio::time::timeout(timeout, Socket::connect(socket, to)).await.map_err(io::Error::from)?
}
