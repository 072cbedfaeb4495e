//! Where a call goes. One pure question, asked once for every dialled number.

use crate::directory::Directory;
use crate::entrance::{Entrance, WayIn};
use std::collections::{HashMap, HashSet};
use strowger_model::dispatch::{Asking, Dispatch};
use strowger_model::record::{Number, Room, Trunk};
use strowger_model::trunk::NumberTarget;
use strowger_model::{DeviceId, FlowId, HangupCause, TenantId, TrunkId, UserId, number};
use strowger_sip::TrunkState;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A phone of the tenant.
    Device {
        /// Its tenant.
        tenant: TenantId,
    },
    /// A provider.
    Trunk(TrunkId),
    /// A flow or a program of the tenant: dials like one of its phones.
    Tenant(TenantId),
}

/// The calls that are running, as far as routing cares.
#[derive(Debug, Clone, Default)]
pub struct Load {
    by_trunk: HashMap<TrunkId, usize>,
    /// Those that do not answer, and those that do not take our registration.
    silent: HashSet<TrunkId>,
    refusing: HashSet<TrunkId>,
}

impl Load {
    /// How many legs go through a trunk.
    #[must_use]
    pub fn on(&self, trunk: TrunkId) -> usize {
        self.by_trunk.get(&trunk).copied().unwrap_or(0)
    }

    /// Notes what was learned of a trunk.
    pub fn judge(&mut self, trunk: TrunkId, state: &TrunkState) {
        match state {
            TrunkState::Registered { .. } | TrunkState::Unregistered => self.refusing.remove(&trunk),
            TrunkState::Failed { .. } => self.refusing.insert(trunk),
            TrunkState::Up { .. } => self.silent.remove(&trunk),
            TrunkState::Unreachable { .. } => self.silent.insert(trunk),
        };
    }

    /// Whether a trunk is known not to work now.
    #[must_use]
    pub fn is_down(&self, trunk: TrunkId) -> bool {
        self.silent.contains(&trunk) || self.refusing.contains(&trunk)
    }

    /// Forgets what was noted of trunks that are no more.
    pub fn keep(&mut self, is_kept: impl Fn(TrunkId) -> bool) {
        for noted in [&mut self.silent, &mut self.refusing] {
            noted.retain(|trunk| is_kept(*trunk));
        }
    }

    /// Counts a leg that begins.
    pub fn begin(&mut self, trunk: TrunkId) {
        *self.by_trunk.entry(trunk).or_default() += 1;
    }

    /// Counts a leg that is over.
    pub fn end(&mut self, trunk: TrunkId) {
        if let Some(count) = self.by_trunk.get_mut(&trunk) {
            *count -= 1;
            if *count == 0 {
                self.by_trunk.remove(&trunk);
            }
        }
    }
}

/// Everything the decision needs.
pub struct RouteInput<'a> {
    /// What is known.
    pub directory: &'a Directory,
    /// Who asks.
    pub asker: Asker,
    /// What was dialled, as written.
    pub dialled: &'a str,
    /// The caller's number, as far as it is known.
    pub caller: &'a str,
    /// Whether a phone can be reached now.
    pub is_bound: &'a dyn Fn(DeviceId) -> bool,
    /// Whether a user has a phone page open.
    pub has_browser: &'a dyn Fn(UserId) -> bool,
    /// The calls that are running.
    pub load: &'a Load,
}

/// Where the call goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A flow takes it.
    Flow(FlowId),
    /// These phones of a user ring, and the user's browser where it can.
    User {
        /// Who.
        user: UserId,
        /// The phones that can be reached; none where only the browser can be.
        phones: Vec<DeviceId>,
        /// Whether a message is taken when nobody answers.
        voicemail: bool,
    },
    /// A message is taken for a user.
    Voicemail(UserId),
    /// The caller joins a room.
    Room(Entrance),
    /// It goes out through a trunk.
    Trunk {
        /// Which: the first that can takes it, the others stand by; at least one.
        trunks: Vec<TrunkId>,
        /// The number to ask for.
        number: String,
    },
    /// It goes nowhere.
    Refused(HangupCause),
}

/// The answer: the route, whose call it is, and the number that was dialled, where it is one of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Where it goes.
    pub route: Route,
    /// Whose call it is; `None` only when the asker is unknown by now.
    pub tenant: Option<TenantId>,
    /// The tenant's number that was dialled.
    pub number: Option<Number>,
    /// Whether what was dialled belongs to another tenant: refused, and worth an audit line.
    pub foreign: bool,
}

/// Decides where a call goes.
#[must_use]
pub fn decide(input: &RouteInput<'_>) -> Decision {
    let directory = input.directory;
    let tenant = match input.asker {
        Asker::Device { tenant } | Asker::Tenant(tenant) => Some(tenant),
        Asker::Trunk(trunk) => directory.trunk(trunk).map(|trunk| trunk.tenant),
    };
    let refused = |why, foreign| Decision {
        route: Route::Refused(why),
        tenant,
        number: None,
        foreign,
    };
    let Some(tenant) = tenant.filter(|tenant| directory.is_active(*tenant)) else {
        return refused(HangupCause::Forbidden, false);
    };
    let asks = Question { input, tenant };
    if directory.is_foreign(tenant, &asks.written()) {
        return refused(HangupCause::NotFound, true);
    }
    let (route, number) = match input.asker {
        Asker::Trunk(trunk) => asks.of_trunk_call(trunk),
        Asker::Device { .. } | Asker::Tenant(_) => asks.of_inside_call(),
    };
    let nowhere = route == Route::Refused(HangupCause::NotFound) && !matches!(input.asker, Asker::Trunk(_));
    Decision {
        foreign: nowhere && directory.is_extension_elsewhere(tenant, &asks.written()),
        route,
        tenant: Some(tenant),
        number,
    }
}

struct Question<'a> {
    input: &'a RouteInput<'a>,
    tenant: TenantId,
}

impl Question<'_> {
    fn written(&self) -> String {
        let dialled = self.input.dialled.trim();
        number::normalise(dialled).unwrap_or_else(|| dialled.to_owned())
    }

    fn of_trunk_call(&self, trunk: TrunkId) -> (Route, Option<Number>) {
        let number = self.input.directory.number(&self.written());
        match number.filter(|number| number.tenant == self.tenant && number.active) {
            Some(number) => (self.of_number(number, Some(trunk)), Some(number.clone())),
            None => (self.by_rule(trunk), None),
        }
    }

    /// What the tenant's dispatch rules say of a call whose number leads nowhere by itself.
    fn by_rule(&self, trunk: TrunkId) -> Route {
        let dialled = self.written();
        let asking = Asking {
            trunk: Some(trunk),
            caller: self.input.caller,
            called: &dialled,
        };
        match self.input.directory.dispatch(self.tenant, asking, None) {
            Dispatch::By(_) => Route::Room(Entrance::ByRule),
            Dispatch::AskPin => Route::Room(Entrance::ByPin),
            Dispatch::Nowhere => Route::Refused(HangupCause::NotFound),
        }
    }

    fn of_inside_call(&self) -> (Route, Option<Number>) {
        let directory = self.input.directory;
        let written = self.written();
        let person = directory
            .extension(self.tenant, &written)
            .or_else(|| directory.owner_of_username(self.tenant, self.input.dialled.trim()))
            .or_else(|| directory.person_of_id(self.tenant, self.input.dialled));
        if let Some(person) = person {
            return (self.user(person.user.id), None);
        }
        if let Some(room) = directory.find_room(self.tenant, &written) {
            return (Route::Room(way_to(room)), None);
        }
        if let Some(own) = directory.number(&written).filter(|number| number.active) {
            return (self.of_number(own, None), Some(own.clone()));
        }
        (self.outbound(None), None)
    }

    fn of_number(&self, number: &Number, came_through: Option<TrunkId>) -> Route {
        let directory = self.input.directory;
        let of_tenant = |user: &UserId| {
            let person = directory.person(*user);
            person.is_some_and(|person| person.user.tenant == Some(self.tenant))
        };
        match number.target {
            None => came_through.map_or(Route::Refused(HangupCause::NotFound), |trunk| self.by_rule(trunk)),
            Some(NumberTarget::Flow(flow)) => {
                let published = directory.flow(flow).filter(|flow| flow.tenant == self.tenant);
                let allowed = directory.policy(self.tenant, None).flows;
                match published.filter(|_| allowed) {
                    Some(published) => Route::Flow(published.flow),
                    None => Route::Refused(HangupCause::Unreachable),
                }
            }
            Some(NumberTarget::User(user)) if of_tenant(&user) => self.user(user),
            Some(NumberTarget::Voicemail(user)) if of_tenant(&user) => {
                if directory.policy(self.tenant, Some(user)).voicemail {
                    Route::Voicemail(user)
                } else {
                    Route::Refused(HangupCause::Unreachable)
                }
            }
            Some(NumberTarget::User(_) | NumberTarget::Voicemail(_)) => Route::Refused(HangupCause::Unreachable),
            Some(NumberTarget::Room(room)) => match directory.room(room) {
                Some(room) if room.tenant == self.tenant => Route::Room(way_to(room)),
                Some(_) | None => Route::Refused(HangupCause::NotFound),
            },
            Some(NumberTarget::Conference) => Route::Room(Entrance::ByPin),
            Some(NumberTarget::Trunk) => self.outbound(came_through),
        }
    }

    fn user(&self, user: UserId) -> Route {
        let directory = self.input.directory;
        let devices = directory.person(user).map_or(&[][..], |person| &person.devices);
        let phones: Vec<DeviceId> = devices
            .iter()
            .copied()
            .filter(|device| (self.input.is_bound)(*device))
            .collect();
        let voicemail = directory.policy(self.tenant, Some(user)).voicemail;
        let has_browser = directory.may_browse(user) && (self.input.has_browser)(user);
        match (phones.is_empty() && !has_browser, voicemail) {
            (false, voicemail) => Route::User {
                user,
                phones,
                voicemail,
            },
            (true, true) => Route::Voicemail(user),
            (true, false) => Route::Refused(HangupCause::Unreachable),
        }
    }

    /// The trunks with the longest fitting prefix that have room: those that work before those that are down,
    /// then the oldest first. A call that came through a trunk goes out through another one where there is
    /// one: many providers send a number of ours straight back. Where they do all the same, the trunk's limit
    /// ends the circle. Trunks with a shorter prefix are no reserve: whoever wrote the longer one meant it.
    fn outbound(&self, came_through: Option<TrunkId>) -> Route {
        let Some(number) = number::normalise(self.input.dialled) else {
            return Route::Refused(HangupCause::NotFound);
        };
        let trunks = self.input.directory.trunks_of(self.tenant);
        let fitting: Vec<&Trunk> = trunks.filter(|trunk| fits(&trunk.prefix, &number)).collect();
        let has_room = |trunk: &&&Trunk| self.input.load.on(trunk.id) < usize::try_from(trunk.max_calls).unwrap_or(0);
        let is_other = |trunk: &Trunk| Some(trunk.id) != came_through;
        let rank = |trunk: &Trunk| (is_other(trunk), trunk.prefix.len());
        let Some(best) = fitting.iter().filter(has_room).map(|trunk| rank(trunk)).max() else {
            let why = if fitting.is_empty() {
                HangupCause::NotFound
            } else {
                HangupCause::Congestion
            };
            return Route::Refused(why);
        };
        let mut equals: Vec<&Trunk> = fitting.iter().filter(has_room).copied().collect();
        equals.retain(|trunk| rank(trunk) == best);
        equals.sort_by_key(|trunk| (self.input.load.is_down(trunk.id), trunk.created_at, trunk.id));
        let trunks = equals.iter().map(|trunk| trunk.id).collect();
        Route::Trunk { trunks, number }
    }
}

fn way_to(room: &Room) -> Entrance {
    Entrance::Room(Box::new(WayIn::to(room.name.clone())))
}

fn fits(prefix: &str, number: &str) -> bool {
    let bare = |text: &str| text.trim_start_matches('+').to_owned();
    let international = |text: &str| text.strip_prefix("00").map(str::to_owned);
    number.starts_with(prefix)
        || (prefix.starts_with('+') && international(number).is_some_and(|number| number.starts_with(&bare(prefix))))
        || (prefix.starts_with("00")
            && number.starts_with('+')
            && international(prefix).is_some_and(|prefix| bare(number).starts_with(&prefix)))
}
