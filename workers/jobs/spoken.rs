//! Making what is played, off the async threads, with its faults sorted.

use super::{Fault, apart};
use crate::prompts::{self, Playable, Voice};

/// A text as it will be played.
pub(super) async fn text(text: String, voice: Voice) -> Result<Playable, Fault> {
    apart(move || prompts::from_text(&text, &voice).map_err(sorted)).await
}

/// An uploaded file as it will be played.
pub(super) async fn upload(file: Vec<u8>, name: String) -> Result<Playable, Fault> {
    apart(move || prompts::from_upload(&file, &name).map_err(sorted)).await
}

fn sorted(problem: prompts::Error) -> Fault {
    if problem.is_passing() {
        Fault::Retry(problem.into())
    } else {
        Fault::never(problem)
    }
}
