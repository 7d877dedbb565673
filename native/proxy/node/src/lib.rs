//! The node proxy as a Node.js addon: every `#[napi]` of the project. Converts, and nothing else.

mod allocation;
mod options;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{Buffer, Function, Object, Uint8Array};
use napi::threadsafe_function::{ThreadsafeFunctionCallMode, UnknownReturnValue};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;

use crate::allocation::Counting;
use crate::options::{ProxyOptions, ProxyPod, ProxyStats};
use crate::worker::Worker;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Batches that may wait for V8; then records are lost, and counted.
const BATCHES_WAITING: usize = 64;

/// src/native/proxy.ts says what each method does.
#[napi]
pub struct Proxy {
    proxy: Arc<weir_proxy::Proxy>,
    worker: Worker,
    drainer: Worker,
}

#[napi]
#[allow(missing_docs, reason = "src/native/proxy.ts says what each is")]
impl Proxy {
    #[napi(constructor)]
    pub fn new(options: ProxyOptions) -> Result<Proxy> {
        let proxy = weir_proxy::Proxy::new(&(&options).into()).map_err(thrown)?;
        Ok(Proxy { proxy: Arc::new(proxy), worker: Worker::new("weir-apply")?, drainer: Worker::new("weir-drain")? })
    }

    #[napi]
    pub fn apply<'env>(&self, env: &'env Env, delta: Uint8Array) -> Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let (proxy, delta) = (self.proxy.clone(), delta.to_vec());
        self.worker.run(move || match proxy.apply(&delta) {
            Ok(()) => deferred.resolve(|_| Ok(())),
            Err(error) => deferred.reject(thrown(error)),
        })?;
        Ok(promise)
    }

    #[napi]
    pub fn capture(&self, pod: ProxyPod) -> Result<()> {
        self.proxy.capture(&pod.into()).map_err(thrown)
    }

    #[napi]
    pub fn release(&self, workload: u32, reset: bool) {
        self.proxy.release(workload, reset);
    }

    #[napi]
    pub fn authorize(&self, questions: Uint8Array) -> Result<Uint8Array> {
        self.proxy.authorize(&questions).map(Uint8Array::new).map_err(thrown)
    }

    #[napi]
    pub fn on_records(&self, deliver: Function<'_, FnArgs, UnknownReturnValue>) -> Result<()> {
        let function = deliver
            .build_threadsafe_function::<FnArgs>()
            .weak::<true>() // an agent that is done must be able to exit
            .max_queue_size::<BATCHES_WAITING>()
            .build()?;
        self.proxy.on_records(Box::new(move |rows, lost| {
            let batch = (Buffer::from(rows), lost as f64).into();
            function.call(batch, ThreadsafeFunctionCallMode::NonBlocking) == Status::Ok
        }));
        Ok(())
    }

    #[napi]
    pub fn stats(&self) -> ProxyStats {
        self.proxy.stats().into()
    }

    #[napi]
    pub fn drain<'env>(&self, env: &'env Env, deadline_ms: u32) -> Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let proxy = self.proxy.clone();
        self.drainer.run(move || {
            let reset = proxy.drain(Duration::from_millis(deadline_ms.into()));
            deferred.resolve(move |_| Ok(reset as f64));
        })?;
        Ok(promise)
    }

    #[napi]
    pub fn close(&self) {
        self.proxy.close();
    }
}

type FnArgs = napi::bindgen_prelude::FnArgs<(Buffer, f64)>;

fn thrown(error: weir_proxy::Error) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}
