//! Says from the proxy's own threads that they still turn. When it stops, the kernel side takes the agent for hung.

use std::time::Duration;

use crate::clock;
use crate::plane::Shared;

const INTERVAL: Duration = Duration::from_millis(500);

/// For ever.
pub(crate) async fn beat(plane: Shared) {
    let Some(maps) = &plane.maps else { return };
    loop {
        // Cannot fail on a descriptor that is open; were it to, the kernel side would notice.
        let _ = maps.beat(clock::now_ns());
        plane.descriptors.refresh();
        tokio::time::sleep(INTERVAL).await;
    }
}
