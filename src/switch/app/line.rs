//! One connection with a voice app, as a value: what the caller says becomes messages, what the app says becomes
//! frames, and when it is over and why is decided here.

use super::playout::Playout;
use super::wire::{self, FromApp, Garbage, Sids, ToApp};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use strowger_media::g711::{self, Law};
use strowger_media::{AudioFrame, FRAME_SAMPLES};

/// Frames that are handed over before the caller hears them: enough that a task that comes 40 ms late is not heard,
/// little enough that to clear is heard at once.
const AHEAD: usize = 3;

/// What is shorter than a frame is said as it is when nothing has followed it for so long.
const TAIL: Duration = Duration::from_millis(40);

/// Milliseconds without audio from the caller before silence stands in for it: programs tell by it that a caller
/// has stopped speaking, and a phone that suppresses silence sends nothing.
const GAP_MS: u64 = 100;

/// The most frames of silence at once.
const FILL: u64 = 5;

const FRAME_MS: u64 = 20;

/// How often the app is pinged (RFC 6455 §5.5.2).
pub const PING: Duration = Duration::from_secs(5);

/// How long an app may give no sign of life.
pub const SILENT: Duration = Duration::from_secs(20);

/// Closed as agreed (RFC 6455 §7.4.1).
const NORMAL: u16 = 1000;
/// Closed without saying why: what programs do that merely call `close()`.
const NO_STATUS: u16 = 1005;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The caller said this.
    Caller(Box<AudioFrame>),
    /// The caller pressed a key.
    Key(char),
    /// The caller is gone, or led elsewhere.
    Left,
    /// The app sent a text.
    Text(String),
    /// The app sent something binary.
    Binary,
    /// The app gave a sign of life.
    Sign,
    /// The app closed the connection, with this code.
    Closed(u16),
    /// The connection broke.
    Cut,
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a text to the app.
    Send(String),
    /// Ping the app.
    Ping,
    /// Close the connection. Nothing follows.
    Over(Ending),
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The app closed it in order.
    Done,
    /// The caller is gone, or was led elsewhere.
    Left,
    /// It was lost.
    Lost(Lost),
}

/// Why a connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The connection broke.
    #[error("the connection was cut")]
    Cut,
    /// The app closed it, not because it was done.
    #[error("it closed the connection with {0}")]
    Closed(u16),
    /// The app broke the protocol.
    #[error("it sent {0}")]
    Garbage(Garbage),
    /// The app does not even answer pings.
    #[error("it gave no sign of life for {} seconds", SILENT.as_secs())]
    Silent,
}

/// A connection that stands.
#[derive(Debug)]
pub struct Line {
    sids: Sids,
    /// The number of the last message.
    sequence: u64,
    /// Frames of the caller's that were sent.
    chunks: u64,
    began: Instant,
    /// When the app last gave a sign of life, was pinged, and said something.
    alive: Instant,
    pinged: Instant,
    spoke: Instant,
    now: Instant,
    playout: Playout,
    marks_dropped: u64,
    outputs: VecDeque<Output>,
    is_over: bool,
}

impl Line {
    /// A connection that was opened just now. The app is told of the call first.
    #[must_use]
    pub fn new(sids: Sids, parameters: &BTreeMap<String, String>, now: Instant) -> Self {
        let mut line = Self {
            sids,
            sequence: 0,
            chunks: 0,
            began: now,
            alive: now,
            pinged: now,
            spoke: now,
            now,
            playout: Playout::default(),
            marks_dropped: 0,
            outputs: VecDeque::from([Output::Send(wire::connected())]),
            is_over: false,
        };
        line.send(&ToApp::Start(parameters));
        line
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.is_over {
            return;
        }
        self.now = now;
        match input {
            Input::Caller(frame) => {
                let payload = frame.map(|sample| g711::encode(Law::Mu, sample));
                self.media(&payload);
            }
            Input::Key(digit) => self.send(&ToApp::Dtmf(digit)),
            Input::Left => {
                self.send(&ToApp::Stop);
                self.end(Ending::Left);
            }
            Input::Text(text) => {
                self.alive = now;
                self.told(&text);
            }
            Input::Binary => self.end(Ending::Lost(Lost::Garbage(Garbage::Binary))),
            Input::Sign => self.alive = now,
            Input::Closed(NORMAL | NO_STATUS) => self.end(Ending::Done),
            Input::Closed(code) => self.end(Ending::Lost(Lost::Closed(code))),
            Input::Cut => self.end(Ending::Lost(Lost::Cut)),
            Input::Tick => self.tick(),
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next frame for the caller, who has not heard `ahead` of those before it; `None` when that is enough.
    pub fn frame(&mut self, ahead: usize) -> Option<AudioFrame> {
        if self.is_over || ahead >= AHEAD {
            return None;
        }
        let is_last = ahead == 0 && self.now.saturating_duration_since(self.spoke) >= TAIL;
        self.playout.frame(is_last)
    }

    /// Tells the app which marks are reached, when the caller has not heard `ahead` of the frames handed over.
    pub fn settle(&mut self, ahead: usize) {
        while let Some(name) = self.playout.reached(ahead).filter(|_| !self.is_over) {
            self.send(&ToApp::Mark(&name));
        }
    }

    /// Whether nothing follows but outputs.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Milliseconds of the app's audio, and marks, that were dropped for want of room.
    #[must_use]
    pub const fn dropped(&self) -> (u64, u64) {
        (self.playout.dropped_ms(), self.marks_dropped)
    }

    fn told(&mut self, text: &str) {
        match wire::read(&self.sids.stream, text) {
            Ok(FromApp::Media(payload)) => {
                self.spoke = self.now;
                self.playout.add(&payload);
            }
            Ok(FromApp::Mark(name)) => {
                if !self.playout.mark(name) {
                    self.marks_dropped += 1;
                }
            }
            Ok(FromApp::Clear) => {
                for name in self.playout.clear() {
                    self.send(&ToApp::Mark(&name));
                }
            }
            Ok(FromApp::Stop) => self.end(Ending::Done),
            Ok(FromApp::Other) => {}
            Err(garbage) => self.end(Ending::Lost(Lost::Garbage(garbage))),
        }
    }

    fn tick(&mut self) {
        if self.now.saturating_duration_since(self.alive) >= SILENT {
            return self.end(Ending::Lost(Lost::Silent));
        }
        if self.now.saturating_duration_since(self.pinged) >= PING {
            self.pinged = self.now;
            self.outputs.push_back(Output::Ping);
        }
        let passed = self.now.saturating_duration_since(self.began).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        for _ in 0..FILL {
            if passed < (self.chunks + 1) * FRAME_MS + GAP_MS {
                break;
            }
            self.media(&[g711::silence(Law::Mu); FRAME_SAMPLES]);
        }
    }

    fn media(&mut self, payload: &[u8]) {
        let timestamp_ms = self.chunks * FRAME_MS;
        self.chunks += 1;
        self.send(&ToApp::Media {
            chunk: self.chunks,
            timestamp_ms,
            payload,
        });
    }

    fn send(&mut self, message: &ToApp<'_>) {
        self.sequence += 1;
        let text = wire::write(&self.sids, self.sequence, message);
        self.outputs.push_back(Output::Send(text));
    }

    fn end(&mut self, ending: Ending) {
        self.is_over = true;
        self.outputs.push_back(Output::Over(ending));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use strowger_model::world::SeededWorld;
    use strowger_model::{CallId, TenantId};

    struct Bench {
        line: Line,
        now: Instant,
        /// Frames handed over that the caller has not heard.
        ahead: usize,
        sent: Vec<Value>,
        pings: usize,
        over: Option<Ending>,
        heard: Vec<AudioFrame>,
    }

    impl Bench {
        #[expect(clippy::disallowed_methods, reason = "an Instant can be had in no other way")]
        fn new() -> Self {
            let world = SeededWorld::new(1, 0);
            let sids = Sids::new(TenantId::generate(&world), CallId::generate(&world), [1; 16]);
            let now = Instant::now();
            let mut bench = Self {
                line: Line::new(sids, &BTreeMap::new(), now),
                now,
                ahead: 0,
                sent: Vec::new(),
                pings: 0,
                over: None,
                heard: Vec::new(),
            };
            bench.drain();
            bench
        }

        fn drain(&mut self) {
            while let Some(frame) = self.line.frame(self.ahead) {
                self.heard.push(frame);
                self.ahead += 1;
            }
            self.line.settle(self.ahead);
            while let Some(output) = self.line.poll_output() {
                match output {
                    Output::Send(text) => self.sent.push(serde_json::from_str(&text).unwrap()),
                    Output::Ping => self.pings += 1,
                    Output::Over(ending) => assert!(self.over.replace(ending).is_none(), "over twice"),
                }
            }
        }

        fn tell(&mut self, input: Input) {
            self.line.handle(input, self.now);
            self.drain();
        }

        fn says(&mut self, message: &Value) {
            self.tell(Input::Text(message.to_string()));
        }

        fn media(&mut self, bytes: usize) {
            let payload = wire::write(
                &self.line.sids.clone(),
                1,
                &ToApp::Media {
                    chunk: 1,
                    timestamp_ms: 0,
                    payload: &vec![0x80; bytes],
                },
            );
            self.tell(Input::Text(payload));
        }

        /// Time passes in steps of 10 ms, and the caller hears a frame each 20.
        fn pass(&mut self, ms: u64) {
            for step in 0..ms / 10 {
                self.now += Duration::from_millis(10);
                if step % 2 == 1 {
                    self.ahead = self.ahead.saturating_sub(1);
                }
                self.tell(Input::Tick);
            }
        }

        fn events(&self) -> Vec<&str> {
            let events = self.sent.iter().filter_map(|message| message["event"].as_str());
            events.collect()
        }

        fn marks(&self) -> Vec<&str> {
            let marks = self.sent.iter().filter_map(|message| message["mark"]["name"].as_str());
            marks.collect()
        }
    }

    #[test]
    fn the_app_is_told_of_the_call_and_hears_the_caller() {
        let mut bench = Bench::new();
        bench.tell(Input::Caller(Box::new([1_000; FRAME_SAMPLES])));
        bench.tell(Input::Key('5'));
        bench.tell(Input::Caller(Box::new([0; FRAME_SAMPLES])));
        assert_eq!(bench.events(), ["connected", "start", "media", "dtmf", "media"]);
        let numbers: Vec<_> = bench
            .sent
            .iter()
            .filter_map(|message| message["sequenceNumber"].as_str())
            .collect();
        assert_eq!(numbers, ["1", "2", "3", "4"]);
        let last = bench.sent[4]["media"].as_object().unwrap();
        assert_eq!((&last["chunk"], &last["timestamp"]), (&json!("2"), &json!("20")));
        bench.tell(Input::Left);
        assert_eq!(bench.events().last(), Some(&"stop"));
        assert_eq!(bench.over, Some(Ending::Left));
        let count = bench.sent.len();
        bench.tell(Input::Key('1'));
        assert_eq!(bench.sent.len(), count, "nothing follows");
    }

    #[test]
    fn silence_stands_in_for_a_caller_of_whom_nothing_comes() {
        let mut bench = Bench::new();
        bench.pass(1_000);
        let media = bench.events().iter().filter(|event| **event == "media").count();
        assert_eq!(media, 45, "a second less the patience");
        bench.sent.clear();
        for _ in 0..50 {
            bench.pass(20);
            bench.tell(Input::Caller(Box::new([9; FRAME_SAMPLES])));
        }
        let media = bench.events().len();
        assert!((50..=51).contains(&media), "{media}: who speaks is not interrupted");
    }

    #[test]
    fn what_the_app_says_goes_straight_through_and_not_far_ahead() {
        let mut bench = Bench::new();
        bench.media(160);
        assert_eq!(bench.heard.len(), 1, "at once");
        bench.media(1_600);
        assert_eq!(bench.heard.len(), AHEAD);
        bench.says(&json!({"event": "mark", "mark": {"name": "end"}}));
        bench.pass(100);
        assert!(bench.marks().is_empty());
        bench.pass(200);
        assert_eq!((bench.heard.len(), bench.marks()), (11, vec!["end"]));
    }

    #[test]
    fn to_clear_stops_at_once_and_answers_the_marks() {
        let mut bench = Bench::new();
        bench.media(80_000);
        bench.says(&json!({"event": "mark", "mark": {"name": "end"}}));
        bench.pass(100);
        let heard = bench.heard.len();
        bench.says(&json!({"event": "clear"}));
        bench.pass(1_000);
        assert_eq!((bench.heard.len(), bench.marks()), (heard, vec!["end"]));
    }

    #[test]
    fn a_tail_is_said_when_nothing_follows_it() {
        let mut bench = Bench::new();
        for _ in 0..4 {
            bench.media(100);
            bench.pass(10);
        }
        assert_eq!(bench.heard.len(), 2, "80 bytes wait");
        bench.pass(100);
        assert_eq!(bench.heard.len(), 3);
    }

    #[test]
    fn how_it_ends_depends_on_how_the_app_leaves() {
        for (input, ending) in [
            (Input::Closed(1000), Ending::Done),
            (Input::Closed(1005), Ending::Done),
            (Input::Text("{\"event\":\"stop\"}".into()), Ending::Done),
            (Input::Closed(1001), Ending::Lost(Lost::Closed(1001))),
            (Input::Closed(1011), Ending::Lost(Lost::Closed(1011))),
            (Input::Cut, Ending::Lost(Lost::Cut)),
            (Input::Binary, Ending::Lost(Lost::Garbage(Garbage::Binary))),
            (Input::Text("hello".into()), Ending::Lost(Lost::Garbage(Garbage::Json))),
        ] {
            let mut bench = Bench::new();
            bench.tell(input.clone());
            assert_eq!(bench.over, Some(ending), "{input:?}");
        }
    }

    #[test]
    fn an_app_that_gives_no_sign_of_life_is_lost() {
        let mut bench = Bench::new();
        bench.pass(19_000);
        bench.tell(Input::Sign);
        bench.pass(19_000);
        assert_eq!((bench.pings, bench.over), (7, None));
        bench.pass(1_000);
        assert_eq!(bench.over, Some(Ending::Lost(Lost::Silent)));
    }

    fn inputs() -> impl Strategy<Value = Vec<(Input, u64)>> {
        let text = prop_oneof![
            Just("{\"event\":\"media\",\"media\":{\"payload\":\"gICAgICA\"}}".to_owned()),
            Just("{\"event\":\"mark\",\"mark\":{\"name\":\"m\"}}".to_owned()),
            Just("{\"event\":\"clear\"}".to_owned()),
            "[ -~]{0,30}",
        ];
        let input = prop_oneof![
            4 => text.prop_map(Input::Text),
            4 => any::<i16>().prop_map(|sample| Input::Caller(Box::new([sample; FRAME_SAMPLES]))),
            2 => any::<char>().prop_map(Input::Key),
            4 => Just(Input::Tick),
            1 => any::<u16>().prop_map(Input::Closed),
            1 => Just(Input::Left),
        ];
        proptest::collection::vec((input, 0u64..3_000), 0..60)
    }

    proptest! {
        /// Whatever both sides do: it ends at most once, nothing follows, and messages are numbered without a gap.
        #[test]
        fn a_line_keeps_its_word(inputs in inputs()) {
            let mut bench = Bench::new();
            for (input, ms) in inputs {
                bench.now += Duration::from_millis(ms);
                bench.ahead = bench.ahead.saturating_sub(1);
                let was_over = bench.over.is_some();
                let count = bench.sent.len();
                bench.tell(input);
                prop_assert!(!was_over || bench.sent.len() == count);
            }
            let numbers = bench.sent.iter().filter_map(|message| message["sequenceNumber"].as_str());
            for (at, number) in numbers.enumerate() {
                prop_assert_eq!(number, (at + 1).to_string());
            }
            prop_assert_eq!(bench.over.is_some(), bench.line.is_over());
        }
    }
}
