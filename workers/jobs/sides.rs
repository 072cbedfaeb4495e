//! Who speaks on a side of a recording, and when: the machine until somebody has answered, then one party after the
//! other. Each is heard alone, so that a word of the machine that is cut off stays the machine's. Pure.

use strowger_model::record::Leg;
use strowger_model::speech::Segment;
use strowger_store::CallDetail;
use time::OffsetDateTime;

/// What people read where the flow, the mailbox or the waiting music speaks.
const MACHINE: &str = "System";

/// One speaker's stretch of a channel, milliseconds of the recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    channel: u8,
    speaker: String,
    from_ms: i64,
    to_ms: i64,
}

impl Stretch {
    /// Somebody who speaks on a channel from the beginning to the end.
    pub(super) fn whole(channel: u8, speaker: &str) -> Self {
        Self {
            channel,
            speaker: speaker.to_owned(),
            from_ms: 0,
            to_ms: i64::MAX,
        }
    }
}

/// The stretches of a call's recording.
pub(super) fn of_call(detail: Option<&CallDetail>, began_at: OffsetDateTime) -> Vec<Stretch> {
    let Some(detail) = detail else {
        return vec![Stretch::whole(0, "caller"), Stretch::whole(1, "callee")];
    };
    let call = &detail.call;
    let named = call.from_name.as_ref().filter(|name| !name.is_empty());
    stretches(named.unwrap_or(&call.from_number), &detail.legs, began_at)
}

/// The stretches of a recording that was made elsewhere: one channel may hold everybody.
pub(super) fn of_import(caller: &str, called: &str, channels: usize) -> Vec<Stretch> {
    if channels < 2 {
        return vec![Stretch::whole(0, "")];
    }
    let or = |number: &str, otherwise: &str| if number.is_empty() { otherwise } else { number }.to_owned();
    vec![
        Stretch::whole(0, &or(caller, "Caller")),
        Stretch::whole(1, &or(called, "Called")),
    ]
}

/// The stretches of both channels. `caller` is the caller's name where their
/// leg has none that people would know.
fn stretches(caller: &str, legs: &[Leg], began_at: OffsetDateTime) -> Vec<Stretch> {
    let of_caller = of_side(0, "caller", caller, legs, began_at);
    let of_callee = of_side(1, "callee", MACHINE, legs, began_at);
    of_caller.into_iter().chain(of_callee).collect()
}

/// The stretches on channels that there are: a message has the caller's alone.
pub(super) fn within(mut stretches: Vec<Stretch>, channels: usize) -> Vec<Stretch> {
    stretches.retain(|stretch| usize::from(stretch.channel) < channels);
    stretches
}

/// The stretches of one side; all of it is `otherwise`'s when nobody there ever answered.
fn of_side(channel: u8, side: &str, otherwise: &str, legs: &[Leg], began_at: OffsetDateTime) -> Vec<Stretch> {
    let answered = legs.iter().filter(|leg| leg.side == side);
    let answered = answered.filter_map(|leg| Some((offset_ms(leg.answered_at?, began_at), leg)));
    let mut parties: Vec<(i64, &Leg)> = answered.collect();
    parties.sort_by_key(|(from_ms, _)| *from_ms);
    let stretch = |speaker: &str, from_ms, to_ms| Stretch {
        channel,
        speaker: speaker.to_owned(),
        from_ms,
        to_ms,
    };
    let Some(last) = parties.len().checked_sub(1) else {
        return vec![Stretch::whole(channel, otherwise)];
    };
    let (mut all, mut at_ms) = (Vec::new(), 0);
    for (n, (from_ms, leg)) in parties.iter().enumerate() {
        if *from_ms > at_ms {
            all.push(stretch(MACHINE, at_ms, *from_ms));
        }
        let ended_ms = leg.ended_at.map_or(i64::MAX, |ended_at| offset_ms(ended_at, began_at));
        let next_ms = parties.get(n + 1).map_or(i64::MAX, |(next_ms, _)| *next_ms);
        // Whoever is last has the rest: what comes after their BYE was under way.
        let to_ms = if n == last { i64::MAX } else { next_ms.min(ended_ms) };
        // A trunk's name is no person's.
        let name = if leg.party.is_empty() || (channel == 0 && leg.trunk.is_some()) {
            otherwise
        } else {
            &leg.party
        };
        all.push(stretch(name, (*from_ms).max(at_ms), to_ms));
        at_ms = to_ms.max(at_ms);
    }
    all
}

fn offset_ms(at: OffsetDateTime, began_at: OffsetDateTime) -> i64 {
    i64::try_from((at - began_at).whole_milliseconds())
        .unwrap_or(i64::MAX)
        .max(0)
}

/// The names of the stretches, in order.
pub(super) fn speakers(stretches: &[Stretch]) -> Vec<String> {
    stretches.iter().map(|stretch| stretch.speaker.clone()).collect()
}

/// The channels of the stretches, in order.
pub(super) fn channels(stretches: &[Stretch]) -> Vec<u8> {
    stretches.iter().map(|stretch| stretch.channel).collect()
}

/// Each stretch as a channel of its own: as long as the recording, silent outside the stretch.
pub(super) fn apart(channels: &[Vec<i16>], stretches: &[Stretch], sample_rate_hz: u32) -> Vec<Vec<i16>> {
    let at = |ms: i64, length: usize| {
        let samples = u128::from(ms.max(0).unsigned_abs()) * u128::from(sample_rate_hz) / 1000;
        usize::try_from(samples).unwrap_or(length).min(length)
    };
    let one = |stretch: &Stretch| {
        let Some(channel) = channels.get(usize::from(stretch.channel)) else {
            return Vec::new();
        };
        let (from, to) = (at(stretch.from_ms, channel.len()), at(stretch.to_ms, channel.len()));
        let mut alone = vec![0; channel.len()];
        if let (Some(out), Some(said)) = (alone.get_mut(from..to), channel.get(from..to)) {
            out.copy_from_slice(said);
        }
        alone
    };
    stretches.iter().map(one).collect()
}

/// Puts segments that were heard stretch by stretch back on the channels they came from. What was guessed to last
/// beyond its stretch ends where somebody else begins.
pub(super) fn joined(segments: Vec<Segment>, stretches: &[Stretch]) -> Vec<Segment> {
    let back = |mut segment: Segment| {
        let Some(stretch) = stretches.get(usize::from(segment.channel)) else {
            return segment;
        };
        segment.channel = stretch.channel;
        let within = |ms: i64| ms.min(stretch.to_ms).max(stretch.from_ms);
        (segment.start_ms, segment.end_ms) = (within(segment.start_ms), within(segment.end_ms));
        for word in &mut segment.words {
            (word.start_ms, word.end_ms) = (within(word.start_ms), within(word.end_ms));
        }
        segment
    };
    let mut joined: Vec<Segment> = segments.into_iter().map(back).collect();
    joined.sort_by_key(|segment| (segment.start_ms, segment.channel));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_model::speech::{Sentiment, Word};
    use strowger_model::world::SeededWorld;
    use strowger_model::{CallId, LegId, World};

    fn leg(side: &str, party: &str, answered_s: Option<i64>, ended_s: i64) -> Leg {
        let world = SeededWorld::new(1, 0);
        let at = |seconds: i64| world.now() + time::Duration::seconds(seconds);
        Leg {
            id: LegId::generate(&world),
            call: CallId::generate(&world),
            side: side.to_owned(),
            party: party.to_owned(),
            device: None,
            trunk: None,
            user: None,
            browser: false,
            sip_call_id: String::new(),
            codec: None,
            started_at: world.now(),
            answered_at: answered_s.map(at),
            ended_at: Some(at(ended_s)),
            cause: None,
            quality: None,
        }
    }

    fn told(legs: &[Leg]) -> Vec<(u8, String, i64, i64)> {
        let began_at = SeededWorld::new(1, 0).now();
        let stretches = stretches("Ada", legs, began_at);
        let tell = |stretch: Stretch| (stretch.channel, stretch.speaker, stretch.from_ms, stretch.to_ms);
        stretches.into_iter().map(tell).collect()
    }

    #[test]
    fn the_flow_speaks_until_somebody_has_answered() {
        let legs = [
            leg("caller", "Ada", Some(0), 30),
            leg("callee", "Bob", None, 5),
            leg("callee", "Grace", Some(9), 30),
        ];
        assert_eq!(
            told(&legs),
            [
                (0, "Ada".to_owned(), 0, i64::MAX),
                (1, "System".to_owned(), 0, 9_000),
                (1, "Grace".to_owned(), 9_000, i64::MAX),
            ]
        );
    }

    #[test]
    fn between_two_parties_the_machine_speaks_again() {
        let legs = [leg("callee", "Bob", Some(4), 10), leg("callee", "Grace", Some(15), 30)];
        let speakers: Vec<_> = told(&legs)[1..]
            .iter()
            .map(|(_, name, from, to)| (name.clone(), *from, *to))
            .collect();
        assert_eq!(
            speakers,
            [
                ("System".to_owned(), 0, 4_000),
                ("Bob".to_owned(), 4_000, 10_000),
                ("System".to_owned(), 10_000, 15_000),
                ("Grace".to_owned(), 15_000, i64::MAX),
            ]
        );
    }

    #[test]
    fn a_call_that_reached_nobody_was_spoken_to_by_the_machine_alone() {
        assert_eq!(
            told(&[leg("callee", "Bob", None, 5)])[1],
            (1, "System".to_owned(), 0, i64::MAX)
        );
    }

    #[test]
    fn a_flow_that_talks_to_somebody_we_called_is_the_machine_on_the_callers_side() {
        let legs = [leg("callee", "Grace", Some(0), 30), leg("caller", "Alan", Some(12), 30)];
        let told = told(&legs);
        assert_eq!(told[0], (0, "System".to_owned(), 0, 12_000));
        assert_eq!(told[1], (0, "Alan".to_owned(), 12_000, i64::MAX));
        assert_eq!(told[2], (1, "Grace".to_owned(), 0, i64::MAX));
    }

    #[test]
    fn each_stretch_is_heard_alone_and_where_it_was() {
        let stretch = |channel, from_ms, to_ms| Stretch {
            channel,
            speaker: String::new(),
            from_ms,
            to_ms,
        };
        let stretches = [stretch(0, 0, i64::MAX), stretch(1, 0, 2), stretch(1, 2, i64::MAX)];
        let apart = apart(&[vec![1; 4], vec![2; 4]], &stretches, 1000);
        assert_eq!(apart, [vec![1, 1, 1, 1], vec![2, 2, 0, 0], vec![0, 0, 2, 2]]);
    }

    #[test]
    fn a_word_guessed_too_long_ends_where_the_next_one_begins_to_speak() {
        let stretch = |from_ms, to_ms| Stretch {
            channel: 1,
            speaker: String::new(),
            from_ms,
            to_ms,
        };
        let word = |start_ms, end_ms| Word {
            text: "for".to_owned(),
            start_ms,
            end_ms,
            confidence: 0.5,
        };
        let heard = |channel, start_ms, end_ms| Segment {
            channel,
            speaker: String::new(),
            start_ms,
            end_ms,
            text: "for".to_owned(),
            confidence: 0.5,
            sentiment: Sentiment::Neutral,
            words: vec![word(start_ms, end_ms)],
        };
        let stretches = [stretch(0, 3_000), stretch(3_000, i64::MAX)];
        let joined = joined(vec![heard(1, 2_990, 3_500), heard(0, 2_900, 3_180)], &stretches);
        let times = joined
            .iter()
            .map(|one| (one.channel, one.start_ms, one.end_ms, one.words[0].end_ms));
        let times: Vec<_> = times.collect();
        assert_eq!(times, [(1, 2_900, 3_000, 3_000), (1, 3_000, 3_500, 3_500)]);
    }

    #[test]
    fn of_a_recording_from_elsewhere_only_two_channels_are_two_speakers() {
        let both = of_import("", "+15550100", 2);
        assert_eq!(speakers(&both), ["Caller", "+15550100"]);
        assert_eq!(channels(&both), [0, 1]);
        assert_eq!(speakers(&of_import("+15550111", "", 1)), [""]);
    }
}
