//! The loaded speech model, shared by all jobs of this process.

use crate::whisper::models::ModelStore;
use crate::whisper::{Error, Recogniser};
use std::sync::{Arc, Mutex, PoisonError};

/// Loads a model when the first job needs it, and another one when the administrator installed one:
/// running jobs keep theirs.
#[derive(Debug)]
pub(super) struct Recognisers {
    models: ModelStore,
    name: String,
    loaded: Mutex<Option<Arc<Recogniser>>>,
}

impl Recognisers {
    pub(super) const fn new(models: ModelStore, name: String) -> Self {
        Self {
            models,
            name,
            loaded: Mutex::new(None),
        }
    }

    /// The model to use now; reads files, so it is called off the async threads.
    pub(super) fn current(&self) -> Result<Arc<Recogniser>, Error> {
        let wanted = self.models.speech(&self.name)?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(recogniser) = loaded.as_ref()
            && recogniser.model().sha256 == wanted.sha256
        {
            return Ok(Arc::clone(recogniser));
        }
        *loaded = None;
        let recogniser = Recogniser::load(&self.models, &self.name)?;
        *loaded = Some(Arc::clone(&recogniser));
        Ok(recogniser)
    }
}
