//! A voice app: the flow connects the near party with a program, which hears and is heard.

use super::disclosure::Next;
use super::leg::Leg;
use super::{Act, Call, MediaOrder, Output};
use crate::app::{AppCall, AppNews, AppOrder, AppSaid};
use crate::live::EventKind;
use crate::scene::Scene;
use std::collections::BTreeMap;
use strowger_ivr::{ActionId, AppOutcome, AppUrl, Event};
use strowger_media::MediaLegId;

/// The near party's connection with a voice app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AppStay {
    id: ActionId,
    media: MediaLegId,
    /// It stands; until then the program is waited for.
    is_connected: bool,
}

impl AppStay {
    /// What is seen of it.
    pub(super) const fn doing(self) -> &'static str {
        if self.is_connected { "app" } else { "connecting" }
    }
}

impl Call {
    /// The flow connects the near party, who is up, with a voice app.
    pub(super) fn flow_connects_app(
        &mut self,
        id: ActionId,
        url: String,
        (key, parameters): (Option<String>, BTreeMap<String, String>),
        scene: &mut Scene<'_>,
    ) {
        let Some(media) = self.near_leg().and_then(Leg::media) else {
            let outcome = AppOutcome::Failed;
            return self.tell_flow(Event::AppEnded { id, outcome }, scene);
        };
        // Only the host is noted: what stands behind it is the business of the program.
        let host = AppUrl::read(&url).map_or_else(|_| String::new(), |url| url.to_string());
        self.note("app", self.near, &format!("calls {host}"), scene);
        self.order_media(MediaOrder::Stop(media));
        self.act = Act::App(AppStay {
            id,
            media,
            is_connected: false,
        });
        let app = AppCall {
            id,
            media,
            url,
            key,
            parameters,
        };
        self.outputs.push_back(Output::App(AppOrder::Join(Box::new(app))));
        if !self.tell_near(Next::App, scene) {
            self.record_near(scene);
        }
        self.tell(EventKind::Changed);
    }

    /// The near party pressed a key while it is with a voice app.
    pub(super) fn app_digit(&mut self, digit: char) {
        self.outputs.push_back(Output::App(AppOrder::Digit(digit)));
    }

    /// A voice app's connection said something.
    pub(super) fn app_said(&mut self, said: AppSaid, scene: &mut Scene<'_>) {
        let Act::App(stay) = &mut self.act else { return };
        // An older one may have a last word.
        if stay.id != said.id {
            return;
        }
        let id = said.id;
        match said.what {
            AppNews::Connected => {
                stay.is_connected = true;
                self.note("app", self.near, "connected", scene);
                self.tell(EventKind::Changed);
                self.tell_flow(Event::AppConnected { id }, scene);
            }
            AppNews::Ended { outcome, why } => {
                let word = match outcome {
                    AppOutcome::Completed => "ended",
                    AppOutcome::Failed => "failed",
                };
                self.leave_app(&format!("{word}: {why}"), scene);
                self.tell_flow(Event::AppEnded { id, outcome }, scene);
            }
        }
    }

    /// The flow waits no longer for a voice app.
    pub(super) fn flow_leaves_app(&mut self, scene: &mut Scene<'_>) {
        self.leave_app("failed: it did not answer in time", scene);
    }

    fn leave_app(&mut self, why: &str, scene: &mut Scene<'_>) {
        let Act::App(stay) = self.act else { return };
        self.note("app", self.near, why, scene);
        // What was recorded goes on: the near party is with the flow as before.
        self.act = Act::Waiting;
        self.app_ends(stay);
    }

    /// Puts away a connection that ends.
    pub(super) fn app_ends(&mut self, stay: AppStay) {
        self.outputs.push_back(Output::App(AppOrder::Leave(stay.media)));
    }
}
