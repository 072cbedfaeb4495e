//! A party hands the one it talks with to somebody else and is gone at once, as a softphone's button does. `refer.rs`
//! is the other kind: a phone's REFER, which keeps the party until somebody has answered.

use super::leg::Leg;
use super::{Call, MediaOrder};
use crate::route::{self, Asker, Route, RouteInput};
use crate::scene::Scene;
use strowger_model::HangupCause;
use strowger_sip::DialogKey;

impl Call {
    /// The party of this dialog hands the other one over. Whether it talks with somebody and `to` leads
    /// somewhere; otherwise nothing has changed.
    pub(crate) fn hand_over(&mut self, dialog: DialogKey, to: &str, scene: &mut Scene<'_>) -> bool {
        let leg = self.legs.iter().position(|leg| leg.dialog == dialog && leg.is_up());
        let Some((leg, rest)) = leg.and_then(|leg| Some((leg, self.across(leg)?))) else {
            return false;
        };
        let route = self.route_to(to, scene);
        if matches!(route, Route::Refused(_)) {
            return false;
        }
        self.note("transfer", Some(leg), to, scene);
        let is_recorded = self.recorder.is_running();
        self.leave_act(scene);
        if is_recorded {
            self.recorder.go_on_later();
        }
        self.close_leg(leg, HangupCause::Normal, scene);
        self.near = Some(rest);
        if let Some(media) = self.near_leg().and_then(Leg::media) {
            self.order_media(MediaOrder::Unbridge(media));
            self.order_media(MediaOrder::Stop(media));
        }
        // Whatever led here has nothing more to say about it.
        self.run = None;
        self.follow(route, scene);
        true
    }

    fn route_to(&self, to: &str, scene: &Scene<'_>) -> Route {
        let is_bound = |device| !scene.supply.bindings(device).is_empty();
        let has_browser = |user| scene.supply.has_browser(user);
        let input = RouteInput {
            directory: scene.directory,
            asker: Asker::Tenant(self.row.tenant),
            dialled: to,
            caller: &self.row.from_number,
            is_bound: &is_bound,
            has_browser: &has_browser,
            load: scene.load,
        };
        route::decide(&input).route
    }
}
