//! The life of one connection: judged, dialled, forwarded, recorded.

use std::sync::Arc;

use crate::connection::Connection;
use crate::dial::dial;
use crate::forward::{End, forward};
use crate::limit::Place;
use crate::plane::{Plane, Shared};
use crate::pod::Pod;
use crate::record::{FLAG_FAILED, FLAG_RESET, Kind};
use crate::route::Route;
use crate::socket::Socket;
use crate::threads::Seat;
use crate::verdict::Reason;

/// A client's socket and what it takes up, given back at the end.
pub(crate) struct Accepted {
    pub(crate) client: Socket,
    pub(crate) place: Place,
    pub(crate) seat: Seat,
}

/// Takes the connection off the list however its task ends.
struct Listed<'a> {
    plane: &'a Plane,
    connection: Arc<Connection>,
}

/// Returns when the connection has ended.
pub(crate) async fn serve(plane: Shared, pod: Arc<Pod>, route: Route, accepted: Accepted) {
    let Accepted { client, place: _place, seat: _seat } = accepted;
    plane.counters.connections.add(1);
    let connection = Arc::new(Connection::new(plane.connections.next_id(), pod.workload, route, client));
    // On the list before policy is asked: a change after the answer finds it there.
    plane.connections.insert(connection.clone());
    let listed = Listed { plane: &plane, connection };
    carry(&plane, pod, &listed.connection).await;
}

/// A connection that is not to be, at a limit.
pub(crate) fn refuse(plane: &Plane, pod: &Pod, route: Route, client: Socket) {
    plane.counters.refused.add(1);
    let connection = Connection::new(plane.connections.next_id(), pod.workload, route, client);
    plane.judge(&connection);
    plane.records.push(&connection.denial());
}

async fn carry(plane: &Plane, pod: Arc<Pod>, connection: &Connection) {
    let Some(permit) = plane.judge(connection).permit() else {
        plane.records.push(&connection.denial());
        return;
    };
    let Some(server) = reach(plane, pod, connection).await else { return };
    record(plane, connection, Kind::Open, 0);
    let end = tokio::select! {
        biased;
        () = connection.ended() => End::Reset,
        end = forward(permit, &connection.client, server, &connection.carried) => end,
    };
    let flags = if end == End::Reset { FLAG_RESET } else { 0 };
    record(plane, connection, Kind::Close, flags);
}

/// The far end; None when there is no going on, which is recorded then. Lets go of the pod.
async fn reach<'a>(plane: &Plane, pod: Arc<Pod>, connection: &'a Connection) -> Option<&'a Socket> {
    let maps = plane.maps.as_ref()?;
    let timeout = plane.snapshot.load().limits().dial_timeout;
    let dialled = tokio::select! {
        biased;
        () = connection.ended() => None,
        // In a box: it is the larger part of the task, and soon over.
        dialled = Box::pin(dial(maps, &pod.namespace, &connection.route, timeout)) => dialled.ok(),
    };
    match dialled {
        Some(server) => {
            let server = connection.server.get_or_init(|| server);
            // Ended between the dial and now: whoever did it saw no server to reset.
            if connection.is_ended() {
                server.reset();
            }
            Some(server)
        }
        None => {
            if connection.is_ended() {
                record(plane, connection, Kind::Close, FLAG_FAILED | FLAG_RESET);
            } else {
                plane.counters.dial_failures.add(1);
                connection.judge(|verdict| verdict.because(Reason::DialFailed));
                record(plane, connection, Kind::Close, FLAG_FAILED);
            }
            None
        }
    }
}

fn record(plane: &Plane, connection: &Connection, kind: Kind, flags: u8) {
    for record in connection.records(kind, flags) {
        plane.records.push(&record);
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.plane.counters.bytes.add(self.connection.bytes());
        self.plane.connections.remove(self.connection.id);
    }
}

#[cfg(test)]
#[path = "serve/tests.rs"]
mod tests;
