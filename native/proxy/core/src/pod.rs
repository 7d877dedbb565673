//! A captured pod, as the node proxy serves it.

use std::os::fd::{AsFd, OwnedFd};

use crate::error::Error;
use crate::limit::Gauge;
use crate::maps::{Exemption, Maps};
use crate::namespace::{Home, Namespace};
use crate::socket;

/// What the agent says of a pod.
#[derive(Clone, Debug)]
pub struct PodOptions {
    /// Its id.
    pub workload: u32,
    /// Path of its network namespace.
    pub netns: String,
    /// Its listeners are at 2 * slot and 2 * slot + 1.
    pub slot: u32,
    /// Whether it has an IPv6 address.
    pub ipv6: bool,
}

pub(crate) struct Pod {
    pub(crate) workload: u32,
    pub(crate) namespace: Namespace,
    pub(crate) connections: Gauge,
}

impl Pod {
    /// Opens the listeners inside the pod and puts them into its slots. On an error nothing stays.
    pub(crate) fn open(home: &Home, maps: &Maps, options: &PodOptions) -> Result<(Pod, Vec<OwnedFd>), Error> {
        let namespace = home.namespace(&options.netns)?;
        let families: &[bool] = if options.ipv6 { &[false, true] } else { &[false] };
        let listeners = families.iter().map(|ipv6| open_listener(&namespace, maps, options, *ipv6));
        let listeners = listeners.collect::<Result<Vec<OwnedFd>, Error>>()?;
        let pod = Pod { workload: options.workload, namespace, connections: Gauge::default() };
        Ok((pod, listeners))
    }
}

fn open_listener(namespace: &Namespace, maps: &Maps, options: &PodOptions, ipv6: bool) -> Result<OwnedFd, Error> {
    let family = if ipv6 { "IPv6" } else { "IPv4" };
    let tried = |what: &str| format!("{what} the {family} listener in {}", options.netns);
    let listener = namespace.inside(|| socket::listener(ipv6))?.map_err(Error::system(tried("open")))?;
    // Before it listens: the kernel side must not count it as a port of the pod.
    maps.exempt(listener.as_fd(), &Exemption::PLAIN).map_err(Error::system(tried("mark")))?;
    socket::listen(&listener).map_err(Error::system(tried("listen on")))?;
    let index = options.slot * 2 + u32::from(ipv6);
    maps.listen(index, listener.as_fd()).map_err(Error::system(tried("put into the lookup table")))?;
    Ok(listener.into())
}
