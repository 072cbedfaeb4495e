//! What holds whatever comes.

use crate::bench::{BOB_NUMBER, BRIDGE_NUMBER, Bench, FLOW_NUMBER, Far, MAIL_NUMBER, ROOM_NUMBER};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use strowger_media::{Direction as Way, MediaEvent};
use strowger_sip::{Origin, SipEvent};
use strowger_switch::exchange::Input;
use strowger_switch::live::{PlaceCall, Steer};

/// One thing that happens; the number chooses among those it can happen to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    CallIn(usize, bool),
    CallInside(usize),
    Place(usize),
    Ring(usize),
    Early(usize),
    Answer(usize),
    Fail(usize, usize),
    Acknowledge(usize),
    GiveUp(usize),
    HangUp(usize),
    Hold(usize),
    Resume(usize),
    Digit(usize, usize),
    Info(usize),
    Silence(usize),
    PlaysEnd,
    Pass(u64),
    Steer(usize, usize),
    LastWords,
    Ports(u64),
    Rebind(bool),
    Refer(usize, usize),
}

impl Step {
    /// Any step, drawn from random bytes; those that let calls live come oftener.
    pub(crate) fn random([what, n, m, a, b, ..]: [u8; 8]) -> Self {
        let (n, m, span) = (usize::from(n), usize::from(m), u64::from(a) * 256 + u64::from(b));
        match what % 32 {
            0..=3 => Self::CallIn(n, a < 230),
            4..=6 => Self::CallInside(n),
            7 => Self::Place(n),
            8..=10 => Self::Ring(n),
            11 => Self::Early(n),
            12..=14 => Self::Answer(n),
            15..=16 => Self::Fail(n, m),
            17..=19 => Self::Acknowledge(n),
            20 => Self::GiveUp(n),
            21..=22 => Self::HangUp(n),
            23 => Self::Hold(n),
            24 => Self::Resume(n),
            25 => Self::Digit(n, m),
            26 => Self::PlaysEnd,
            27 => Self::Pass(span % 20_000),
            28 => Self::Refer(n, m),
            29 => Self::Steer(n, m),
            30 => Self::LastWords,
            _ => Self::Silence(n),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0usize..64;
    prop_oneof![
        4 => (n(), any::<bool>()).prop_map(|(n, offer)| Step::CallIn(n, offer)),
        3 => n().prop_map(Step::CallInside),
        2 => n().prop_map(Step::Place),
        4 => n().prop_map(Step::Ring),
        2 => n().prop_map(Step::Early),
        7 => n().prop_map(Step::Answer),
        4 => (n(), n()).prop_map(|(n, status)| Step::Fail(n, status)),
        8 => n().prop_map(Step::Acknowledge),
        2 => n().prop_map(Step::GiveUp),
        4 => n().prop_map(Step::HangUp),
        2 => n().prop_map(Step::Hold),
        2 => n().prop_map(Step::Resume),
        6 => (n(), n()).prop_map(|(leg, digit)| Step::Digit(leg, digit)),
        1 => n().prop_map(Step::Info),
        1 => n().prop_map(Step::Silence),
        4 => Just(Step::PlaysEnd),
        4 => (0u64..20_000).prop_map(Step::Pass),
        1 => Just(Step::Pass(4_000_000)),
        3 => (n(), n()).prop_map(|(call, what)| Step::Steer(call, what)),
        4 => Just(Step::LastWords),
        1 => (0u64..12).prop_map(Step::Ports),
        1 => any::<bool>().prop_map(Step::Rebind),
        2 => (n(), n()).prop_map(|(by, to)| Step::Refer(by, to)),
    ]
}

fn pick<T: Copy>(all: &[T], n: usize) -> Option<T> {
    (!all.is_empty()).then(|| all[n % all.len()])
}

pub(crate) fn take(bench: &mut Bench, step: Step) {
    const OUTSIDE: [&str; 6] = [
        FLOW_NUMBER,
        BOB_NUMBER,
        MAIL_NUMBER,
        ROOM_NUMBER,
        BRIDGE_NUMBER,
        "+4900",
    ];
    const INSIDE: [&str; 7] = ["101", "100", "800", "+15555550123", "eve-desk", FLOW_NUMBER, "x"];
    match step {
        Step::CallIn(n, offer) => {
            let origin = Origin::Trunk(bench.house.provider_in);
            bench.call(origin, OUTSIDE[n % OUTSIDE.len()], offer);
        }
        Step::CallInside(n) => {
            bench.ada_dials(INSIDE[n % INSIDE.len()]);
        }
        Step::Place(n) => {
            let order = PlaceCall {
                tenant: bench.house.tenant,
                user: None,
                from: [None, Some("100".to_owned())][n % 2].clone(),
                to: INSIDE[n % INSIDE.len()].to_owned(),
                record: [None, Some(true), Some(false)][n % 3],
                transcribe: false,
                ring_timeout: None,
                metadata: strowger_model::Metadata::default(),
                flow: (n % 5 == 0).then(|| bench.house.parts.flows[0].flow),
            };
            let _ = bench.exchange.place(order, bench.now);
            bench.pass(Duration::ZERO);
            bench.perform_now();
        }
        Step::Ring(_)
        | Step::Early(_)
        | Step::Answer(_)
        | Step::Fail(..)
        | Step::Acknowledge(_)
        | Step::GiveUp(_)
        | Step::HangUp(_)
        | Step::Hold(_)
        | Step::Resume(_) => far_end(bench, step),
        Step::Refer(by, to) => {
            if let Some(dialog) = pick(&bench.in_state(Far::Up), by) {
                let to = INSIDE[to % INSIDE.len()].to_owned();
                bench.sip(SipEvent::Refer { dialog, to });
            }
        }
        other => around(bench, other),
    }
}

/// A far end does something.
fn far_end(bench: &mut Bench, step: Step) {
    const STATUS: [u16; 7] = [486, 603, 480, 404, 503, 408, 302];
    match step {
        Step::Ring(n) => {
            if let Some(dialog) = pick(&bench.in_state(Far::Called), n) {
                bench.rings(dialog);
            }
        }
        Step::Early(n) => {
            if let Some(dialog) = pick(&bench.in_state(Far::Called), n) {
                let body = bench.early_body(dialog);
                bench.sip(SipEvent::Progress {
                    dialog,
                    status: 183,
                    body,
                });
            }
        }
        Step::Answer(n) => {
            let mut all = bench.in_state(Far::Called);
            all.extend(bench.in_state(Far::CalledOff));
            if let Some(dialog) = pick(&all, n) {
                bench.answers(dialog);
            }
        }
        Step::Fail(n, status) => {
            let mut all = bench.in_state(Far::Called);
            all.extend(bench.in_state(Far::CalledOff));
            if let Some(dialog) = pick(&all, n) {
                bench.fails(dialog, STATUS[status % STATUS.len()]);
            }
        }
        Step::Acknowledge(n) => {
            if let Some(dialog) = pick(&bench.in_state(Far::Answered), n) {
                bench.acknowledges(dialog);
            }
        }
        Step::GiveUp(n) => {
            if let Some(dialog) = pick(&bench.in_state(Far::Calling), n) {
                bench.gives_up(dialog);
            }
        }
        Step::HangUp(n) => {
            let mut all = bench.in_state(Far::Up);
            all.extend(bench.in_state(Far::Answered));
            if let Some(dialog) = pick(&all, n) {
                bench.hangs_up(dialog);
            }
        }
        Step::Hold(n) | Step::Resume(n) => {
            let way = if matches!(step, Step::Hold(_)) {
                Way::SEND
            } else {
                Way::BOTH
            };
            if let Some(dialog) = pick(&bench.in_state(Far::Up), n) {
                bench.wants(dialog, way);
            }
        }
        _ => {}
    }
}

/// Something else happens.
fn around(bench: &mut Bench, step: Step) {
    match step {
        Step::Digit(leg, digit) => {
            if let Some(leg) = pick(&bench.open_media(), leg) {
                let digit = ['1', '2', '3', '#', '9'][digit % 5];
                bench.presses(leg, digit);
            }
        }
        Step::Info(n) => {
            if let Some(dialog) = pick(&bench.in_state(Far::Up), n) {
                let content_type = "application/dtmf-relay".to_owned();
                let body = Bytes::from_static(b"Signal=1");
                bench.sip(SipEvent::Info {
                    dialog,
                    content_type,
                    body,
                });
            }
        }
        Step::Silence(n) => {
            if let Some(leg) = pick(&bench.open_media(), n) {
                bench.tell(Input::Media(MediaEvent::Silent { leg }));
            }
        }
        Step::PlaysEnd => bench.plays_end(),
        Step::Pass(ms) => bench.pass(Duration::from_millis(ms)),
        Step::Steer(call, what) => {
            let calls: Vec<_> = bench.begun.iter().copied().collect();
            let all = [
                Steer::PauseRecording,
                Steer::ResumeRecording,
                Steer::StopRecording,
                Steer::StartRecording,
                Steer::HangUp,
            ];
            if let Some(call) = pick(&calls, call) {
                let (tenant, now) = (bench.house.tenant, bench.now);
                bench.exchange.steer(tenant, call, all[what % all.len()], now);
                bench.perform_now();
            }
        }
        Step::LastWords => bench.last_words(),
        Step::Ports(most) => {
            let most = if most < 2 { u64::MAX } else { most };
            bench.supply.most_open.store(most, std::sync::atomic::Ordering::Relaxed);
        }
        Step::Rebind(there) => {
            let (tenant, phone) = (bench.house.tenant, bench.house.bob_phones[0]);
            if there {
                bench.supply.bind(tenant, phone);
            } else {
                bench.supply.unbind(phone);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn every_leg_is_closed_once_and_every_call_has_one_record(steps in proptest::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new();
        for step in steps {
            take(&mut bench, step);
        }
        bench.tell(Input::Shutdown);
        bench.last_words();
        bench.last_words();
        prop_assert!(bench.far.is_empty(), "{:?} were never ended", bench.far.keys());
        prop_assert_eq!(bench.exchange.count(), 0);
        prop_assert_eq!(bench.exchange.leftovers(), [0; 5]);
        prop_assert_eq!(bench.supply.open.load(std::sync::atomic::Ordering::Relaxed), 0);
        prop_assert_eq!(bench.begun.len(), bench.finished.len());
        prop_assert!(bench.captures.values().all(|open| !open));
        for trunk in [bench.house.provider_in, bench.house.provider_out] {
            prop_assert_eq!(bench.exchange.load_on(trunk), 0);
        }
        for finished in &bench.finished {
            let call = &finished.call;
            prop_assert!(call.state.is_final() && call.ended_at.is_some() && call.cause.is_some());
            prop_assert!(call.answered_at.is_some() || call.duration_ms == 0);
            prop_assert!(finished.legs.iter().all(|leg| leg.ended_at.is_some() && leg.cause.is_some()));
            prop_assert!(finished.taken.is_empty() || call.answered_at.is_some());
            let heard = finished.message.iter().all(|message| {
                finished.taken.iter().any(|taken| taken.recording == message.recording)
            });
            prop_assert!(heard);
        }
        let mut states = std::collections::BTreeMap::new();
        for event in &bench.told {
            let now = event.call.state;
            let before = states.insert(event.call.id, now);
            prop_assert!(before.is_none_or(|before| before == now || before.may_become(now)), "{before:?} to {now:?}");
        }
        for call in &bench.begun {
            prop_assert_eq!(bench.finished.iter().filter(|finished| finished.call.id == *call).count(), 1);
        }
    }
}
