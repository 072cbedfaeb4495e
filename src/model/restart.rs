//! The two calls of a talk that a restart of the daemon cut in two.

use crate::CallId;
use crate::record::CallEvent;

impl CallEvent {
    /// [`CallEvent::kind`] of the last event of a call that a restart of the daemon ended.
    pub const RESTART: &'static str = "restart";
    /// [`CallEvent::kind`] of the first event of a call that goes on where such a one ended.
    pub const REATTACHED: &'static str = "re-attached";

    /// The call that a talk cut in two by a restart goes on as, or goes on from, where this event names it.
    #[must_use]
    pub fn other_half(&self) -> Option<CallId> {
        let is_named = matches!(self.kind.as_str(), Self::RESTART | Self::REATTACHED);
        let id = self.detail.rsplit(' ').next().filter(|_| is_named)?;
        id.parse().ok()
    }
}
