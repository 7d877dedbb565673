//! Network namespaces of pods. A socket belongs to the one its thread was in when it was made, so it is made there.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::Error;

/// A network namespace, kept alive as long as this is.
pub(crate) struct Namespace {
    descriptor: OwnedFd,
    home: Arc<OwnedFd>,
}

/// The namespace the process runs in.
#[derive(Clone)]
pub(crate) struct Home(Arc<OwnedFd>);

/// Takes the thread home. A thread that cannot go back would do all its later work in a pod.
struct Return<'a>(&'a OwnedFd);

impl Home {
    pub(crate) fn new() -> Result<Home, Error> {
        const PATH: &str = "/proc/thread-self/ns/net";
        let file = File::open(PATH).map_err(Error::system(format!("open {PATH}")))?;
        Ok(Home(Arc::new(file.into())))
    }

    /// Opens a pod's namespace by its path, for example /run/netns/a.
    pub(crate) fn namespace(&self, path: &str) -> Result<Namespace, Error> {
        let file = File::open(path).map_err(Error::system(format!("open the network namespace {path}")))?;
        Ok(Namespace { descriptor: file.into(), home: self.0.clone() })
    }
}

impl Namespace {
    /// Does something inside, on this thread. It must be quick and must not keep the thread's namespace for later.
    pub(crate) fn inside<T>(&self, work: impl FnOnce() -> T) -> Result<T, Error> {
        move_into_link_name_space(self.descriptor.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(Error::system("enter the pod's network namespace (setns needs CAP_SYS_ADMIN)"))?;
        let _return = Return(&self.home);
        Ok(work())
    }
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        if move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).is_err() {
            std::process::abort();
        }
    }
}
