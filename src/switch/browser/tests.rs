use super::*;
use strowger_model::world::SeededWorld;
use strowger_model::{TenantId, UserId};

struct Bench {
    browsers: Browsers,
    ada: Owner,
    call: CallId,
}

const KEY: DialogKey = DialogKey(7);

impl Bench {
    fn new() -> Self {
        let world = Arc::new(SeededWorld::new(1, 1_000));
        let ada = Owner {
            tenant: TenantId::generate(world.as_ref()),
            user: UserId::generate(world.as_ref()),
        };
        let call = CallId::generate(world.as_ref());
        Self {
            browsers: Browsers::new(world),
            ada,
            call,
        }
    }

    fn with_pages(pages: u64) -> Self {
        let mut bench = Self::new();
        for tab in 1..=pages {
            bench.browsers.open(TabId(tab), bench.ada).unwrap();
        }
        bench.outputs();
        bench
    }

    fn outputs(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.browsers.poll_output()).collect()
    }

    /// What calls were told.
    fn said(&mut self) -> Vec<Said> {
        let outputs = self.outputs().into_iter();
        outputs
            .filter_map(|output| {
                let Output::Say(KEY, said) = output else { return None };
                Some(said)
            })
            .collect()
    }

    fn invite(&mut self) {
        let invited = Invited {
            owner: self.ada,
            call: self.call,
            media: MediaLegId(3),
            from_number: "102".to_owned(),
            from_name: Some("Bob".to_owned()),
            offer: offer(),
        };
        self.browsers.handle(KEY, Order::Invite(Box::new(invited)));
    }

    fn ask(&mut self, tab: u64, ask: Ask) -> Result<Option<Ticket>, Refused> {
        self.browsers.ask(self.ada, Some(TabId(tab)), self.call, &ask)
    }

    fn states(&self, tab: u64) -> Vec<(LineState, bool)> {
        let lines = self.browsers.lines(self.ada, Some(TabId(tab)));
        lines.into_iter().map(|line| (line.state, line.is_here)).collect()
    }
}

#[test]
fn all_pages_ring_and_the_one_that_takes_the_call_has_it() {
    let mut bench = Bench::with_pages(3);
    bench.invite();
    let outputs = bench.outputs();
    let told = outputs.iter().filter(|output| matches!(output, Output::Tell(..)));
    assert_eq!(told.count(), 3);
    assert_eq!(bench.states(1), [(LineState::Incoming, false)]);
    let ticket = bench.ask(2, Ask::Accept).unwrap().unwrap();
    assert_eq!(ticket.room, ticket.room.to_lowercase());
    assert_eq!(bench.states(2), [(LineState::Active, true)]);
    assert_eq!(bench.states(1), [(LineState::Active, false)]);
    let outputs = bench.outputs();
    let is_open = |output: &&Output| {
        matches!(
            output,
            Output::Open {
                key: KEY,
                media: MediaLegId(3),
                ..
            }
        )
    };
    assert_eq!(outputs.iter().filter(is_open).count(), 1);
    assert_eq!(bench.ask(1, Ask::Accept), Err(Refused::NotNow));
}

#[test]
fn a_call_that_another_device_took_is_over_here_and_says_why() {
    let mut bench = Bench::with_pages(1);
    bench.invite();
    bench.outputs();
    let cause = HangupCause::AnsweredElsewhere;
    bench.browsers.handle(KEY, Order::Over { cause });
    let outputs = bench.outputs();
    assert!(outputs.contains(&Output::Tell(TabId(1), Word::Ended(bench.call, cause))));
    // The exchange hears a last word, so that nothing of the dialog stays behind.
    assert!(outputs.contains(&Output::Say(KEY, Said::Ended(cause))));
    assert!(bench.states(1).is_empty());
}

#[test]
fn refusing_holding_keys_and_hanging_up_are_said_as_a_phone_says_them() {
    let mut bench = Bench::with_pages(1);
    bench.invite();
    bench.outputs();
    bench.ask(1, Ask::Reject).unwrap();
    assert_eq!(bench.said(), [Said::Failed { status: 603 }]);
    bench.invite();
    bench.ask(1, Ask::Accept).unwrap();
    bench.outputs();
    bench.ask(1, Ask::Hold(true)).unwrap();
    bench.ask(1, Ask::Hold(true)).unwrap();
    assert_eq!(bench.states(1), [(LineState::Held, true)]);
    bench.ask(1, Ask::Hold(false)).unwrap();
    let said = bench.said();
    assert!(
        matches!(said[..], [Said::Reoffer { .. }, Said::Reoffer { .. }]),
        "{said:?}"
    );
    bench.ask(1, Ask::Digits("1#".to_owned())).unwrap();
    assert_eq!(bench.said().len(), 2);
    assert_eq!(bench.ask(1, Ask::Digits("1x".to_owned())), Err(Refused::NoKeys));
    bench.ask(1, Ask::HangUp).unwrap();
    assert_eq!(bench.said(), [Said::Ended(HangupCause::Normal)]);
    assert_eq!(bench.browsers.leftovers(), [1, 0]);
}

#[test]
fn a_placed_call_waits_rings_and_is_acknowledged_when_answered() {
    let mut bench = Bench::with_pages(1);
    let (ada, call) = (bench.ada, bench.call);
    let ticket = bench.browsers.placed(KEY, ada, Some(TabId(1)), call, "102");
    assert_eq!(bench.states(1), [(LineState::Calling, true)]);
    bench.browsers.handle(KEY, Order::Ring { media: None });
    assert_eq!(bench.states(1), [(LineState::Ringing, true)]);
    let media = Some(MediaLegId(9));
    bench.outputs();
    bench.browsers.handle(KEY, Order::Answer { media });
    let outputs = bench.outputs();
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::Say(KEY, Said::Confirmed { .. })))
    );
    let opened = outputs.iter().find_map(|output| {
        let Output::Open { ticket, .. } = output else {
            return None;
        };
        Some(ticket.clone())
    });
    assert_eq!(opened, Some(ticket));
}

#[test]
fn somebody_without_a_page_is_away_and_somebody_who_talks_is_busy() {
    let mut bench = Bench::new();
    bench.invite();
    assert_eq!(bench.said(), [Said::Failed { status: 480 }]);
    let mut bench = Bench::with_pages(1);
    let (ada, call) = (bench.ada, bench.call);
    bench.browsers.placed(DialogKey(1), ada, None, call, "102");
    bench.invite();
    assert_eq!(bench.said(), [Said::Failed { status: 486 }]);
}

#[test]
fn the_last_page_that_closes_stops_the_ringing_and_a_conversation_lives_on() {
    let mut bench = Bench::with_pages(2);
    bench.invite();
    bench.outputs();
    bench.browsers.close(TabId(1));
    assert!(bench.said().is_empty());
    bench.browsers.close(TabId(2));
    assert_eq!(bench.said(), [Said::Failed { status: 480 }]);
    let mut bench = Bench::with_pages(1);
    bench.invite();
    bench.ask(1, Ask::Accept).unwrap();
    bench.outputs();
    bench.browsers.close(TabId(1));
    assert!(bench.said().is_empty());
    bench.browsers.deserted(KEY);
    assert_eq!(bench.said(), [Said::Ended(HangupCause::MediaTimeout)]);
    assert_eq!(bench.browsers.leftovers(), [0, 0]);
}

#[test]
fn nobody_touches_the_call_of_somebody_else() {
    let mut bench = Bench::with_pages(1);
    bench.invite();
    let stranger = Owner {
        user: UserId::generate(&SeededWorld::new(9, 9)),
        ..bench.ada
    };
    let foreign = Owner {
        tenant: TenantId::generate(&SeededWorld::new(8, 8)),
        ..bench.ada
    };
    for other in [stranger, foreign] {
        let asked = bench.browsers.ask(other, Some(TabId(1)), bench.call, &Ask::Accept);
        assert_eq!(asked, Err(Refused::NoCall));
    }
    for tab in 2..=16 {
        bench.browsers.open(TabId(tab), bench.ada).unwrap();
    }
    let one_more = bench.browsers.open(TabId(17), bench.ada);
    assert_eq!(one_more, Err(Refused::TooManyPages));
}
