//! Browsers as devices: rung beside phones, first answer wins, calls they place, hold and hand over.

use crate::bench::{Bench, Far};
use bytes::Bytes;
use std::time::Duration;
use strowger_media::sdp::{Preference, Session};
use strowger_model::{CallId, CallState, HangupCause};
use strowger_sip::DialogKey;
use strowger_switch::browser::{Order, Owner, Refused};
use strowger_switch::call::{MediaOrder, Said};
use strowger_switch::exchange::Input;
use strowger_switch::live::EventKind;

impl Bench {
    fn browse(&self, user: strowger_model::UserId) {
        self.supply.browsing.lock().unwrap().insert(user);
    }

    /// The one browser that is being invited.
    fn rung(&self) -> (DialogKey, strowger_switch::browser::Invited) {
        let mut invited = self.to_browsers.iter().filter_map(|(key, order)| match order {
            Order::Invite(invited) => Some((*key, invited.as_ref().clone())),
            _ => None,
        });
        let found = invited.next().unwrap();
        assert!(invited.next().is_none());
        found
    }

    fn says(&mut self, key: DialogKey, said: Said) {
        self.tell(Input::Browser(key, said));
    }

    fn picks_up(&mut self, key: DialogKey, offer: &[u8]) {
        let mut session = Session::new("127.0.0.1:9".parse().unwrap(), 4);
        let (body, _) = session.answer(offer, Preference::TheirOrder).unwrap();
        self.says(key, Said::Answered { body });
    }

    fn dials(&mut self, to: &str) -> Result<(CallId, DialogKey), Refused> {
        let key = DialogKey(900_001);
        let owner = Owner {
            tenant: self.house.tenant,
            user: self.house.ada,
        };
        let call = self.exchange.call_from_browser(key, owner, to, self.now);
        self.perform_now();
        call.map(|call| (call, key))
    }

    fn order_to(&self, key: DialogKey) -> &Order {
        let mut orders = self.to_browsers.iter().rev();
        &orders.find(|(to, _)| *to == key).unwrap().1
    }

    fn kinds(&self) -> Vec<EventKind> {
        let kinds = self.told.iter().map(|event| event.kind);
        kinds.filter(|kind| *kind != EventKind::Changed).collect()
    }
}

fn ringing() -> Said {
    Said::Progress {
        status: 180,
        body: Bytes::new(),
    }
}

#[test]
fn a_browser_rings_beside_the_phones_and_takes_the_call_from_them() {
    let mut bench = Bench::new();
    bench.browse(bench.house.bob);
    let ada = bench.ada_dials("101");
    let phones = bench.in_state(Far::Called);
    assert_eq!(phones.len(), 2);
    let (key, invited) = bench.rung();
    assert_eq!(invited.owner.user, bench.house.bob);
    assert_eq!(invited.from_number, "100");
    bench.says(key, ringing());
    bench.picks_up(key, &invited.offer);
    assert_eq!(bench.in_state(Far::CalledOff), phones);
    bench.acknowledges(ada);
    bench.pass(Duration::from_secs(3));
    bench.says(key, Said::Ended(HangupCause::Normal));
    bench.last_words();
    assert_eq!(bench.finished.len(), 1);
    let finished = &bench.finished[0];
    assert_eq!(finished.call.state, CallState::Completed);
    let causes: Vec<_> = finished.legs.iter().map(|leg| leg.cause).collect();
    let elsewhere = Some(HangupCause::AnsweredElsewhere);
    assert_eq!(causes.iter().filter(|cause| **cause == elsewhere).count(), 2);
    // Both sides were led into the recording.
    assert_eq!(finished.taken.len(), 1);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
}

#[test]
fn a_phone_that_answers_first_stops_the_browser() {
    let mut bench = Bench::new();
    bench.browse(bench.house.bob);
    bench.ada_dials("101");
    let (key, _) = bench.rung();
    bench.says(key, ringing());
    let phone = bench.in_state(Far::Called)[0];
    bench.answers(phone);
    let cause = HangupCause::AnsweredElsewhere;
    assert_eq!(*bench.order_to(key), Order::Over { cause });
}

#[test]
fn a_browser_alone_makes_its_user_reachable_and_a_setting_takes_that_away() {
    let mut bench = Bench::new();
    for phone in bench.house.bob_phones {
        bench.supply.unbind(phone);
    }
    bench.browse(bench.house.bob);
    bench.ada_dials("101");
    bench.rung();
    let mut bench = Bench::new();
    for phone in bench.house.bob_phones {
        bench.supply.unbind(phone);
    }
    bench.browse(bench.house.bob);
    let tenant = bench.house.tenant;
    bench.change(|parts| {
        let off = strowger_model::settings::Entry {
            value: Some("false".to_owned()),
            lock: strowger_model::settings::Lock::Unlocked,
        };
        let layer = parts.tenant_settings.entry(tenant).or_default();
        layer.insert("enable_browser_calls".to_owned(), off);
    });
    bench.ada_dials("101");
    assert!(bench.to_browsers.is_empty());
    assert_eq!(bench.dials("101"), Err(Refused::SwitchedOff));
}

#[test]
fn a_colleague_who_refuses_is_told_as_that_and_no_message_is_taken() {
    let mut bench = Bench::new();
    bench.browse(bench.house.bob);
    let (_, ada) = bench.dials("101").unwrap();
    let (key, _) = bench.rung();
    bench.says(key, ringing());
    bench.says(key, Said::Failed { status: 603 });
    let cause = HangupCause::Rejected;
    assert_eq!(*bench.order_to(ada), Order::Over { cause });
    let expected = [EventKind::Started, EventKind::Ringing, EventKind::Rejected];
    assert_eq!(bench.kinds(), expected);
    let users = &bench.told.last().unwrap().call.users;
    assert!(users.contains(&bench.house.ada) && users.contains(&bench.house.bob));
}

#[test]
fn a_call_from_a_browser_goes_to_a_phone_by_extension_address_or_id() {
    for to in ["101", "bob@example.org", ""] {
        let mut bench = Bench::new();
        let to = if to.is_empty() {
            bench.house.bob.to_string()
        } else {
            to.to_owned()
        };
        let (call, key) = bench.dials(&to).unwrap();
        let phone = bench.in_state(Far::Called)[0];
        bench.rings(phone);
        assert_eq!(*bench.order_to(key), Order::Ring { media: None });
        bench.answers(phone);
        assert!(matches!(bench.order_to(key), Order::Answer { media: Some(_) }));
        bench.says(key, Said::Confirmed { body: Bytes::new() });
        bench.pass(Duration::from_secs(2));
        bench.hangs_up(phone);
        bench.last_words();
        let cause = HangupCause::Normal;
        assert_eq!(*bench.order_to(key), Order::Over { cause });
        let row = &bench.finished[0].call;
        assert_eq!(
            (row.id, row.from_number.as_str(), row.to_number.as_str()),
            (call, "100", "101")
        );
    }
}

#[test]
fn a_number_that_leads_nowhere_is_refused_like_a_phones() {
    let mut bench = Bench::new();
    bench.change(|parts| parts.trunks.clear());
    let (_, key) = bench.dials("+4930999").unwrap();
    let cause = HangupCause::NotFound;
    assert_eq!(*bench.order_to(key), Order::Over { cause });
}

#[test]
fn whoever_is_handed_over_is_rung_on_and_recorded_on() {
    let mut bench = Bench::new();
    bench.browse(bench.house.ada);
    let (call, key) = bench.dials("101").unwrap();
    let phone = bench.in_state(Far::Called)[0];
    bench.answers(phone);
    bench.says(key, Said::Confirmed { body: Bytes::new() });
    bench.last_words();
    assert!(!bench.exchange.hand_over(call, key, "4711nowhere", bench.now));
    bench.perform_now();
    assert!(bench.exchange.hand_over(call, key, "+1 555 555 0123", bench.now));
    bench.perform_now();
    assert!(matches!(bench.order_to(key), Order::Over { .. }));
    bench.says(key, Said::Ended(HangupCause::Normal));
    let outside = bench.in_state(Far::Called)[0];
    bench.answers(outside);
    let bridged = bench
        .orders
        .iter()
        .filter(|order| matches!(order, MediaOrder::Bridge(..)));
    assert_eq!(bridged.count(), 2);
    bench.pass(Duration::from_secs(2));
    bench.hangs_up(outside);
    bench.last_words();
    assert_eq!(bench.finished.len(), 1);
    assert_eq!(bench.finished[0].taken.len(), 2);
    assert_eq!(bench.exchange.leftovers(), [0; 5]);
}

#[test]
fn a_browser_that_holds_lets_the_other_side_hear_music() {
    let mut bench = Bench::new();
    let (_, key) = bench.dials("101").unwrap();
    let phone = bench.in_state(Far::Called)[0];
    bench.answers(phone);
    bench.says(key, Said::Confirmed { body: Bytes::new() });
    let mut session = Session::new("127.0.0.1:9".parse().unwrap(), 4);
    session.want(strowger_media::Direction::SEND);
    let body = session.offer(strowger_media::Codec::Pcma);
    bench.says(key, Said::Reoffer { body });
    let plays = bench
        .orders
        .iter()
        .filter(|order| matches!(order, MediaOrder::Play { repeat: true, .. }));
    assert_eq!(plays.count(), 1);
    assert_eq!(bench.told.last().unwrap().call.doing, "held");
}
