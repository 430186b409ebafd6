//! The N-API binding: bytes in, promises of bytes out. No logic; what the bytes mean is `docs/engine.md`.
//!
//! Every call goes to the engine's control thread and settles a promise from there, so Node's event loop never waits for it. An
//! error crosses as a value: an `Error` whose `code` is `NVE-…` and whose `context` is a JSON object in a string. A panic in a call
//! becomes an error, too; it must not unwind into Node.
#![deny(unsafe_code)]

use std::time::Duration;

use engine::{Engine, EngineError, Reply};
use napi::bindgen_prelude::{Buffer, Function, JsObjectValue, JsValue, Object};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Error, Result};
use napi_derive::napi;

/// How long the end of a process may wait for the engine.
const SHUTDOWN: Duration = Duration::from_millis(500);

type Settle<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

/// An open engine.
#[napi]
pub struct NativeEngine {
    engine: Engine,
    info: Vec<u8>,
}

/// Starts the engine. `doorbell` is called without arguments when `events` or `punts` have something; it does not keep the
/// process alive.
#[napi(catch_unwind, ts_return_type = "Promise<NativeEngine>")]
pub fn open<'e>(env: &'e Env, options: Buffer, doorbell: Function<'_, (), ()>) -> Result<Object<'e>> {
    // A queue of one: a doorbell that has not been heard yet need not ring again.
    let doorbell = doorbell.build_threadsafe_function().weak::<true>().max_queue_size::<1>().build()?;
    let ring = Box::new(move || {
        doorbell.call((), ThreadsafeFunctionCallMode::NonBlocking);
    });
    let (deferred, promise) = env.create_deferred::<NativeEngine, Settle<NativeEngine>>()?;
    Engine::open(options.to_vec(), ring, move |result| {
        deferred.resolve(Box::new(move |env| match result {
            Ok((engine, info)) => Ok(NativeEngine { engine, info }),
            Err(error) => Err(to_js(env, &error)),
        }));
    });
    Ok(promise)
}

#[napi]
impl NativeEngine {
    /// The answer to `open`.
    #[napi(catch_unwind)]
    pub fn info(&self) -> Buffer {
        self.info.clone().into()
    }

    /// Applies a batch.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer>")]
    pub fn apply<'e>(&self, env: &'e Env, batch: Buffer) -> Result<Object<'e>> {
        promise(env, |reply| self.engine.apply(batch.to_vec(), reply))
    }

    /// One page of rows.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer>")]
    pub fn dump<'e>(&self, env: &'e Env, request: Buffer) -> Result<Object<'e>> {
        promise(env, |reply| self.engine.dump(request.to_vec(), reply))
    }

    /// All counters.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer>")]
    pub fn stats<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        promise(env, |reply| self.engine.stats(reply))
    }

    /// Takes events, back to back; to be called until it returns nothing.
    #[napi(catch_unwind)]
    pub fn events(&self) -> Buffer {
        self.engine.events().into()
    }

    /// Takes punts, back to back; to be called until it returns nothing.
    #[napi(catch_unwind)]
    pub fn punts(&self) -> Buffer {
        self.engine.punts().into()
    }

    /// Sends a frame out of a port.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer>")]
    pub fn inject<'e>(&self, env: &'e Env, request: Buffer) -> Result<Object<'e>> {
        promise(env, |reply| self.engine.inject(request.to_vec(), reply))
    }

    /// Begins to record frames, or ends it.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer>")]
    pub fn capture<'e>(&self, env: &'e Env, request: Buffer) -> Result<Object<'e>> {
        promise(env, |reply| self.engine.capture(request.to_vec(), reply))
    }

    /// Takes recorded frames, back to back; to be called until it returns nothing.
    #[napi(catch_unwind)]
    pub fn captured(&self) -> Buffer {
        self.engine.captured().into()
    }

    /// Tells what would become of a frame.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer>")]
    pub fn trace<'e>(&self, env: &'e Env, request: Buffer) -> Result<Object<'e>> {
        promise(env, |reply| self.engine.trace(request.to_vec(), reply))
    }

    /// Stops and closes everything.
    #[napi(catch_unwind, ts_return_type = "Promise<Buffer>")]
    pub fn close<'e>(&self, env: &'e Env) -> Result<Object<'e>> {
        promise(env, |reply| self.engine.close(reply))
    }

    /// The same before the process ends: returns when no packet moves any more, or after half a second.
    #[napi(catch_unwind)]
    pub fn shutdown_now(&self) {
        self.engine.shutdown_now(SHUTDOWN);
    }
}

/// A promise that `start`'s reply settles, from whatever thread.
fn promise<'e>(env: &'e Env, start: impl FnOnce(Reply)) -> Result<Object<'e>> {
    let (deferred, promise) = env.create_deferred::<Buffer, Settle<Buffer>>()?;
    start(Reply::new(move |result| {
        deferred.resolve(Box::new(move |env| match result {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(to_js(env, &error)),
        }));
    }));
    Ok(promise)
}

fn to_js(env: Env, error: &EngineError) -> Error {
    let object = || -> Result<Error> {
        let mut object = env.create_error(Error::from_reason(error.to_string()))?;
        object.set_named_property("code", error.code())?;
        object.set_named_property("context", error.context_json())?;
        Ok(Error::from(object.to_unknown()))
    };
    object().unwrap_or_else(|failure| failure)
}
