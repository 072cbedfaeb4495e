//! A flow leads the call: its actions become the call's, what happens goes back to it.

use super::disclosure::Next;
use super::leg::{Leg, Stage};
use super::ringing::Callee;
use super::{Act, Call, MediaOrder, Then};
use crate::directory::{Published, Samples};
use crate::entrance::{Entrance, WayIn};
use crate::live::EventKind;
use crate::route::{self, Asker, Route, RouteInput};
use crate::scene::Scene;
use std::time::Instant;
use strowger_ivr::{Action, ActionId, Context, DialOutcome, Event, Execution, Sound, Strategy, Target};
use strowger_media::sdp::Preference;
use strowger_media::{PlayId, tone};
use strowger_model::record;

/// A flow that runs.
#[derive(Debug)]
pub(super) struct Run {
    execution: Execution,
    /// What plays, and the last of its sounds.
    playing: Option<(ActionId, PlayId)>,
    /// It asked for an answer that is not acknowledged yet.
    awaits_answer: bool,
    dialling: Option<ActionId>,
    taking: Option<ActionId>,
    meeting: Option<ActionId>,
    pub(super) node: Option<String>,
}

impl Run {
    pub(super) fn start(published: &Published, row: &record::Call, scene: &Scene<'_>) -> Self {
        let zone = scene.directory.policy(row.tenant, None).time_zone.clone();
        let mut context = Context::new(scene.world.now(), row.from_number.as_str(), row.to_number.as_str());
        context.time_zone = Some(zone).filter(|zone| !zone.is_empty());
        Self {
            execution: Execution::start(published.graph.clone(), context, scene.now),
            playing: None,
            awaits_answer: false,
            dialling: None,
            taking: None,
            meeting: None,
            node: None,
        }
    }
}

impl Call {
    pub(super) fn start_flow(&mut self, run: Run, scene: &mut Scene<'_>) {
        self.act = Act::Waiting;
        self.run = Some(Box::new(run));
        self.perform_actions(scene);
    }

    /// The flow leads nobody any more.
    pub(super) fn end_flow(&mut self) {
        self.run = None;
    }

    pub(super) fn tell_flow(&mut self, event: Event, scene: &mut Scene<'_>) {
        if let Some(run) = &mut self.run {
            run.execution.handle(event, scene.now);
            self.perform_actions(scene);
        }
    }

    fn perform_actions(&mut self, scene: &mut Scene<'_>) {
        while let Some(action) = self.run.as_mut().and_then(|run| run.execution.poll_action()) {
            self.perform(action, scene);
        }
    }

    fn perform(&mut self, action: Action, scene: &mut Scene<'_>) {
        match action {
            Action::EnteredNode { node, exit } => {
                let detail = exit.map_or_else(|| node.clone(), |exit| format!("{exit} → {node}"));
                self.note("node", None, &detail, scene);
                if let Some(run) = &mut self.run {
                    run.node = Some(node);
                }
                self.tell(EventKind::Changed);
            }
            Action::Answer => self.flow_answers(scene),
            Action::Play { id, what } => self.flow_plays(id, &what, scene),
            Action::StopPlay => {
                if let Some(run) = &mut self.run {
                    run.playing = None;
                }
                if let Some(leg) = self.near_leg().and_then(Leg::media) {
                    self.order_media(MediaOrder::Stop(leg));
                }
            }
            Action::Dial {
                id,
                targets,
                strategy,
                timeout,
                caller_id,
            } => {
                if let Some(run) = &mut self.run {
                    run.dialling = Some(id);
                }
                let turns = self.callees(&targets, strategy, scene);
                self.ring(turns, timeout, None, caller_id, scene);
            }
            Action::Voicemail { id, mailbox } => self.flow_takes_message(id, &mailbox, scene),
            Action::Room { id, name, pin } => self.flow_meets(id, &name, pin, scene),
            Action::Agent {
                id,
                agent,
                room,
                metadata,
            } => self.flow_meets_agent(id, agent, &room, metadata, scene),
            Action::VoiceApp {
                id,
                url,
                key,
                parameters,
            } => self.flow_connects_app(id, url, (key, parameters), scene),
            Action::LeaveApp => self.flow_leaves_app(scene),
            Action::LeaveRoom => self.flow_leaves_room(scene),
            Action::Hangup { cause } => self.end(cause, scene),
        }
    }

    fn flow_answers(&mut self, scene: &mut Scene<'_>) {
        if let Some(run) = &mut self.run {
            run.awaits_answer = true;
        }
        let stage = self.near_leg().map(|near| near.stage.clone());
        match stage {
            // Already acknowledged: a placed call, or a flow that answers twice.
            Some(Stage::Up { confirmed: true }) => self.flow_confirmed(scene),
            Some(Stage::Up { confirmed: false } | Stage::Invited | Stage::Over) | None => {}
            Some(Stage::Calling { .. }) => {
                // What is said before a recording waits until they can hear it.
                if self.answer_near(Preference::TheirOrder, scene) && !self.is_near_to_be_told() {
                    self.record_near(scene);
                }
            }
        }
    }

    /// The near party can hear us from here on.
    pub(super) fn flow_confirmed(&mut self, scene: &mut Scene<'_>) {
        let waited = self
            .run
            .as_mut()
            .is_some_and(|run| std::mem::take(&mut run.awaits_answer));
        if waited && !self.tell_near(Next::FlowAnswered, scene) {
            self.flow_goes_on(scene);
        }
    }

    /// The flow hears that the near party was answered.
    pub(super) fn flow_goes_on(&mut self, scene: &mut Scene<'_>) {
        self.record_near(scene);
        self.tell_flow(Event::Answered, scene);
    }

    pub(super) fn flow_plays(&mut self, id: ActionId, what: &[Sound], scene: &mut Scene<'_>) {
        if !self.answer_near(Preference::TheirOrder, scene) {
            return;
        }
        if self.tell_near(Next::FlowPlays(id, what.to_vec()), scene) {
            return;
        }
        self.record_near(scene);
        let mut sounds: Vec<Samples> = Vec::new();
        for sound in what {
            match scene.directory.sound(self.row.tenant, sound) {
                Some(samples) => sounds.push(samples),
                None => {
                    tracing::warn!(call_id = %self.row.id, %sound, "a sound of the flow has no audio; a beep stands in");
                    sounds.push(tone::beep());
                }
            }
        }
        if sounds.is_empty() {
            sounds.push(tone::silence(20));
        }
        let mut last = PlayId(0);
        if let Some(leg) = self.near_leg().and_then(Leg::media) {
            for samples in sounds {
                last = self.next_play();
                self.order_media(MediaOrder::Play {
                    leg,
                    play: last,
                    samples,
                    repeat: false,
                });
            }
        }
        if let Some(run) = &mut self.run {
            run.playing = Some((id, last));
        }
    }

    /// A sound was played to its end.
    pub(super) fn played(&mut self, play: PlayId, scene: &mut Scene<'_>) {
        self.mailbox_played(play, scene);
        self.disclosure_played(play, scene);
        self.meeting_played(play, scene);
        let ended = self
            .run
            .as_mut()
            .and_then(|run| run.playing.take_if(|(_, last)| *last == play));
        if let Some((id, _)) = ended {
            self.tell_flow(Event::PlayDone(id), scene);
        }
    }

    /// The near party pressed a key while the flow leads.
    pub(super) fn flow_digit(&mut self, digit: char, scene: &mut Scene<'_>) {
        self.tell_flow(Event::Digit(digit), scene);
    }

    /// Dialling ended, if the flow had asked for it: whether it had.
    pub(super) fn flow_dial_ended(&mut self, outcome: DialOutcome, scene: &mut Scene<'_>) -> bool {
        let dialled = self.run.as_mut().and_then(|run| run.dialling.take());
        let Some(id) = dialled else {
            return false;
        };
        if let Some(media) = self.near_leg().and_then(Leg::media) {
            self.order_media(MediaOrder::Stop(media));
        }
        self.act = Act::Waiting;
        self.tell_flow(Event::DialEnded { id, outcome }, scene);
        true
    }

    fn flow_takes_message(&mut self, id: ActionId, mailbox: &str, scene: &mut Scene<'_>) {
        let person = scene
            .directory
            .find_person(self.row.tenant, mailbox)
            .map(|person| person.user.id);
        let allowed = person.filter(|user| scene.directory.policy(self.row.tenant, Some(*user)).voicemail);
        match allowed {
            Some(user) => {
                if let Some(run) = &mut self.run {
                    run.taking = Some(id);
                }
                self.answer_then(Then::Mailbox(user), scene);
            }
            None => {
                self.note("voicemail", None, "there is no such mailbox", scene);
                self.tell_flow(Event::VoicemailDone { id }, scene);
            }
        }
    }

    /// The message is complete, if the flow had asked for it: whether it had.
    pub(super) fn flow_message_done(&mut self, scene: &mut Scene<'_>) -> bool {
        let asked = self.run.as_mut().and_then(|run| run.taking.take());
        if let Some(id) = asked {
            self.tell_flow(Event::VoicemailDone { id }, scene);
        }
        asked.is_some()
    }

    fn flow_meets(&mut self, id: ActionId, name: &str, pin: Option<String>, scene: &mut Scene<'_>) {
        // A room that is known by its id or name goes by its name; any other is made when it is entered.
        let known = scene.directory.find_room(self.row.tenant, name);
        let mut way = WayIn::to(known.map_or(name, |room| room.name.as_str()));
        way.pin = pin;
        if let Some(run) = &mut self.run {
            run.meeting = Some(id);
        }
        self.enter(Entrance::Room(Box::new(way)), scene);
    }

    /// Leads into a room of the caller's own, into which whoever hears of the newcomer sends the agent.
    fn flow_meets_agent(&mut self, id: ActionId, agent: String, room: &str, metadata: String, scene: &mut Scene<'_>) {
        let way = WayIn {
            metadata,
            agent: Some(agent),
            ..WayIn::to(format!("{room}_{}", super::meeting::chance(scene)))
        };
        if let Some(run) = &mut self.run {
            run.meeting = Some(id);
        }
        self.enter(Entrance::Room(Box::new(way)), scene);
    }

    /// An agent came into the room the flow led into, or is gone.
    pub(super) fn flow_agent(&mut self, is_there: bool, scene: &mut Scene<'_>) {
        let Some(id) = self.run.as_ref().and_then(|run| run.meeting) else {
            return;
        };
        let detail = if is_there { "is here" } else { "is not here" };
        self.note("agent", None, detail, scene);
        self.tell_flow(Event::Agent { id, is_there }, scene);
    }

    fn flow_leaves_room(&mut self, scene: &mut Scene<'_>) {
        if self.run.as_mut().and_then(|run| run.meeting.take()).is_some() {
            self.note("room left", self.near, "by the flow", scene);
            self.then = None;
            self.leave_act(scene);
        }
    }

    /// The room was left and the near party is still there, if the flow had led into it: whether it had.
    pub(super) fn flow_room_left(&mut self, scene: &mut Scene<'_>) -> bool {
        let asked = self.run.as_mut().and_then(|run| run.meeting.take());
        if let Some(id) = asked {
            self.tell_flow(Event::RoomLeft { id }, scene);
        }
        asked.is_some()
    }

    fn callees(&self, targets: &[Target], strategy: Strategy, scene: &Scene<'_>) -> Vec<Vec<Callee>> {
        let turns: Vec<Vec<Callee>> = targets.iter().map(|target| self.callees_of(target, scene)).collect();
        match strategy {
            Strategy::InTurn => turns,
            Strategy::Simultaneous => vec![turns.into_iter().flatten().collect()],
        }
    }

    pub(super) fn callees_of(&self, target: &Target, scene: &Scene<'_>) -> Vec<Callee> {
        let tenant = self.row.tenant;
        let phones_of = |person: &crate::directory::Person| Callee::devices(person.user.id, &person.devices, scene);
        match target {
            Target::User(written) => scene
                .directory
                .find_person(tenant, written)
                .map_or_else(Vec::new, phones_of),
            Target::Extension(number) | Target::Number(number) => {
                let is_bound = |device| !scene.supply.bindings(device).is_empty();
                let has_browser = |user| scene.supply.has_browser(user);
                let input = RouteInput {
                    directory: scene.directory,
                    asker: Asker::Tenant(tenant),
                    dialled: number,
                    caller: &self.row.from_number,
                    is_bound: &is_bound,
                    has_browser: &has_browser,
                    load: scene.load,
                };
                match route::decide(&input).route {
                    Route::User { user, phones, .. } => Callee::devices(user, &phones, scene),
                    Route::Trunk { trunks, number } => vec![Callee::Trunk { trunks, number }],
                    Route::Flow(_) | Route::Voicemail(_) | Route::Room(_) | Route::Refused(_) => Vec::new(),
                }
            }
        }
    }

    pub(super) fn flow_deadline(&self) -> Option<(Instant, &'static str)> {
        self.run.as_ref().and_then(|run| run.execution.poll_timeout())
    }

    pub(super) fn flow_timeout(&mut self, scene: &mut Scene<'_>) {
        let due = self.flow_deadline().is_some_and(|(at, _)| at <= scene.now);
        if let Some(run) = self.run.as_mut().filter(|_| due) {
            run.execution.handle_timeout(scene.now);
            self.perform_actions(scene);
        }
    }
}
