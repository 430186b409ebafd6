//! What the control thread is asked, and how it answers.

use crate::error::EngineError;

/// A request to the control thread.
pub enum Request {
    /// `apply`.
    Apply(Vec<u8>),
    /// `dump`.
    Dump(Vec<u8>),
    /// `capture`.
    Capture(Vec<u8>),
    /// `stats`.
    Stats,
    /// `inject`.
    Inject(Vec<u8>),
    /// `trace`.
    Trace(Vec<u8>),
    /// `close`.
    Close,
}

/// An answer: bytes of the command interface, or why there are none.
pub type Answer = Result<Vec<u8>, EngineError>;

/// Where the answer goes. A request that is dropped unanswered (the engine closed, or broke, meanwhile) is answered with
/// [`EngineError::Closed`]: nobody waits for ever.
pub struct Reply(Option<Box<dyn FnOnce(Answer) + Send>>);

impl Reply {
    /// A reply that calls `receive`, on the control thread or the caller's.
    pub fn new(receive: impl FnOnce(Answer) + Send + 'static) -> Self {
        Self(Some(Box::new(receive)))
    }

    pub(crate) fn send(mut self, answer: Answer) {
        if let Some(receive) = self.0.take() {
            receive(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(receive) = self.0.take() {
            receive(Err(EngineError::Closed));
        }
    }
}

/// Called when a ring to the driver is no longer empty.
pub type Doorbell = Box<dyn Fn() + Send>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_is_dropped_says_closed() {
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(Reply::new(move |answer| sender.send(answer).unwrap()));
        assert_eq!(receiver.recv(), Ok(Err(EngineError::Closed)));
    }
}
