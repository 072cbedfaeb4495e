//! The calls of a busy day.

use super::{BASE, NOW, Sample, sample, shell, world};
use crate::calls::list::{self, Found, Kept, Listed, Live};
use crate::calls::view::{self, Known};
use crate::dashboard::{self, Health, Today, TrunkLine};
use crate::show::{State, Values};
use strowger_model::disk::DiskState;
use strowger_model::job::JobState;
use strowger_model::record::{AuditEntry, Call, CallEvent, JobRow, Leg, Quality, Recording};
use strowger_model::search::Question;
use strowger_model::speech::{Analysis, Ending, Point, Segment, Sentiment, Suggestion, Topic, Word};
use strowger_model::transcript::{Transcript, TranscriptSource};
use strowger_model::{
    CallId, CallState, CallType, Direction, HangupCause, JobId, LegId, RecordingId, Role, TenantId, TranscriptId,
};
use strowger_store::{Answer, Hit, Where};
use time::{Duration, OffsetDateTime};

const START: OffsetDateTime = time::macros::datetime!(2026-11-21 14:02:26.104 UTC);

fn at(ms: i64) -> OffsetDateTime {
    START + Duration::milliseconds(ms)
}

fn call(state: CallState) -> Call {
    let world = world();
    Call {
        id: CallId::generate(&world),
        tenant: TenantId::generate(&world),
        user: None,
        direction: Direction::Inbound,
        call_type: CallType::CustomerInbound,
        state,
        from_number: "+44 7700 900 318".into(),
        from_name: Some("Maria Kowalczyk".into()),
        to_number: "+44 20 7946 0018".into(),
        started_at: START,
        answered_at: state.is_final().then(|| at(55_300)),
        ended_at: state.is_final().then(|| at(307_000)),
        duration_ms: 251_700,
        cause: state.is_final().then_some(HangupCause::Normal),
        flow_version: None,
        notes: "Ask the lab why the crown failed twice.".into(),
        metadata: strowger_model::Metadata::default(),
        transcribe: true,
        cost_micros: 60_000,
        currency: "GBP".into(),
        tags: vec!["guarantee".into(), "repair".into()],
    }
}

fn leg(call: &Call, side: &str, party: &str, from_ms: i64, lost: u64, mos: f64) -> Leg {
    Leg {
        id: LegId::generate(&world()),
        call: call.id,
        side: side.into(),
        party: party.into(),
        device: None,
        trunk: None,
        user: None,
        browser: false,
        sip_call_id: "8f2c@10.0.8.5".into(),
        codec: Some("PCMA".into()),
        started_at: at(from_ms),
        answered_at: Some(at(55_300)),
        ended_at: Some(at(307_000)),
        cause: Some(HangupCause::Normal),
        quality: Some(Quality {
            received: 12_480,
            sent: 12_500,
            lost,
            jitter_ms: 7.4,
            round_trip_ms: Some(22.0),
            mos: Some(mos),
        }),
    }
}

fn events(caller: &Leg, callee: &Leg) -> Vec<CallEvent> {
    let event = |ms, kind: &str, leg: Option<&Leg>, detail: &str| CallEvent {
        at: at(ms),
        kind: kind.into(),
        leg: leg.map(|leg| leg.id),
        detail: detail.into(),
    };
    vec![
        event(0, "invite", Some(caller), "from Gamma-1"),
        event(60, "node", None, "greeting"),
        event(78, "answered", Some(caller), "200 OK, SDP"),
        event(9_000, "node", None, "next → menu"),
        event(17_000, "node", None, "2 → support"),
        event(17_206, "invite", Some(callee), "to 204"),
        event(17_402, "ringing", None, ""),
        event(55_277, "answered", Some(callee), "200 OK, SDP"),
        event(55_300, "bridge", Some(callee), "Jonas Weber"),
        event(55_310, "recording", None, "settings"),
        event(306_920, "bye", Some(caller), "normal"),
    ]
}

fn segment(channel: u8, from_s: i64, text: &str, sentiment: Sentiment) -> Segment {
    let start_ms = from_s * 1000;
    let words = text.split(' ').enumerate().map(|(index, word)| {
        let begin = start_ms + i64::try_from(index).unwrap_or(0) * 310;
        Word {
            text: word.into(),
            start_ms: begin,
            end_ms: begin + 290,
            confidence: if word.contains('…') { 0.31 } else { 0.97 },
        }
    });
    let words: Vec<Word> = words.collect();
    Segment {
        channel,
        speaker: if channel == 0 { "Maria" } else { "Jonas" }.into(),
        start_ms,
        end_ms: words.last().map_or(start_ms, |word| word.end_ms),
        text: text.into(),
        confidence: 0.95,
        sentiment,
        words,
    }
}

fn segments() -> Vec<Segment> {
    use Sentiment::{Negative, Neutral, Positive};
    vec![
        segment(1, 1, "Harbour Dental, Jonas speaking. How can I help?", Neutral),
        segment(
            0,
            8,
            "Hi, it’s Maria Kowalczyk. I came in on Tuesday for a crown and it has come loose again.",
            Neutral,
        ),
        segment(
            0,
            24,
            "That’s the second visit for the same tooth, and I was told it would hold.",
            Negative,
        ),
        segment(
            1,
            42,
            "I’m sorry, that shouldn’t happen twice. Does it hurt when you bite?",
            Neutral,
        ),
        segment(
            0,
            54,
            "A bit. Mostly it’s the sharp edge. And I have a flight on Monday, so I can’t wait a week like last time.",
            Negative,
        ),
        segment(
            1,
            77,
            "Understood. Let me see who is in tomorrow. Dr Vogt could look at it before you travel.",
            Neutral,
        ),
        segment(0, 96, "Tomorrow would be… sorry, are you … I can … hear …", Negative),
        segment(
            1,
            118,
            "You broke up for a moment. You said tomorrow would work?",
            Neutral,
        ),
        segment(0, 151, "Yes. As early as you can, please.", Neutral),
        segment(
            1,
            160,
            "Sunday, 08:40, Dr Vogt at Quay Street. There is no charge: it’s covered by the guarantee.",
            Positive,
        ),
        segment(0, 186, "Oh. That’s good, thank you.", Positive),
        segment(
            1,
            198,
            "I’ve booked it and you’ll have a text in a minute. Please don’t chew on that side tonight.",
            Neutral,
        ),
        segment(0, 218, "I won’t. Thanks, Jonas, that really helps.", Positive),
    ]
}

fn peaks() -> Vec<Vec<u8>> {
    let talk = |channel: u8| {
        let lines = segments();
        (0..400i64)
            .map(|index| {
                let ms = index * 251_700 / 400;
                let loud = lines
                    .iter()
                    .any(|line| line.channel == channel && line.start_ms <= ms && ms <= line.end_ms);
                let wobble = (index * 7_919 + i64::from(channel) * 31) % 97;
                u8::try_from(if loud { 70 + wobble } else { wobble / 40 }).unwrap_or(0)
            })
            .collect()
    };
    vec![talk(0), talk(1)]
}

fn recording(call: &Call) -> Recording {
    Recording {
        id: RecordingId::generate(&world()),
        tenant: call.tenant,
        call: call.id,
        capture: None,
        state: "ready".into(),
        problem: None,
        name: "Maria Kowalczyk".into(),
        description: String::new(),
        format: "ogg/opus".into(),
        duration_ms: 251_700,
        size_bytes: 1_006_800,
        sha256: "0".repeat(64),
        blob: Some("blob".into()),
        peaks: peaks(),
        recorded_by: "settings".into(),
        sample_rate_hz: Some(16_000),
        held: false,
        created_at: at(55_300),
    }
}

fn topic(name: &str, listed: bool, times: i64, text: &str, at_s: i64) -> Topic {
    Topic {
        name: name.into(),
        listed,
        times,
        text: text.into(),
        speaker: if listed { "Jonas" } else { "Maria" }.into(),
        at_ms: at_s * 1000,
        provider: "local-rules".into(),
    }
}

fn analysis() -> Analysis {
    let point = |text: &str, speaker: &str, at_s: i64| Point {
        text: text.into(),
        speaker: speaker.into(),
        at_ms: at_s * 1000,
    };
    Analysis {
        sentiment: Sentiment::Neutral,
        sentiment_score: 0.1,
        sentiment_trend: [-0.5, 0.6],
        summary: "The crown on upper left 6, fitted Tuesday, is loose for the second time. The caller flies on Monday. Booked with Dr Vogt on Sunday at 08:40, Quay Street, at no charge under guarantee.".into(),
        key_points: vec![
            point("Second visit for the same tooth.", "Maria", 24),
            point("Covered by the guarantee.", "Jonas", 160),
        ],
        action_items: vec![
            point("Text the booking to the caller.", "Jonas", 198),
            point("Do not chew on that side tonight.", "Maria", 203),
        ],
        topics: vec![
            topic("appointment", true, 2, "Then I book you with Dr Vogt on Sunday at 08:40.", 198),
            topic("upper tooth", false, 3, "The crown on my upper tooth is loose again.", 24),
        ],
        outcome: Some(Suggestion {
            ending: Ending::Appointment,
            text: "Then I book you with Dr Vogt on Sunday at 08:40.".into(),
            speaker: "Jonas".into(),
            at_ms: 198_000,
            provider: "local-rules".into(),
        }),
        provider: "local-rules".into(),
        usage: strowger_model::speech::Usage::default(),
    }
}

fn transcript(call: &Call, recording: &Recording) -> Transcript {
    Transcript {
        id: TranscriptId::generate(&world()),
        tenant: call.tenant,
        recording: recording.id,
        call: call.id,
        source: TranscriptSource::Call(call.id),
        state: "ready".into(),
        problem: None,
        text: String::new(),
        language: Some("en".into()),
        confidence: 0.97,
        provider: "local-whisper".into(),
        model: "base.en".into(),
        cpu_seconds: 31.0,
        cost_micros: 0,
        audio_ms: 251_700,
        analysis: Some(analysis()),
        segments: segments(),
        created_at: at(320_000),
        finished_at: Some(at(360_000)),
    }
}

fn job(kind: &str, state: JobState, attempts: i64, problem: Option<&str>) -> JobRow {
    JobRow {
        id: JobId::generate(&world()),
        tenant: TenantId::generate(&world()),
        kind: kind.into(),
        payload: serde_json::json!({}),
        state,
        attempts,
        problem: problem.map(str::to_owned),
        worker: Some("pbx-1".into()),
        percent: 0,
        stopped_by: None,
        created_at: at(308_000),
        started_at: Some(at(309_000)),
        finished_at: state.eq(&JobState::Done).then(|| at(313_000)),
    }
}

fn looked(ms: i64, actor: &str, action: &str, detail: &str) -> AuditEntry {
    AuditEntry {
        at: at(ms),
        tenant: None,
        actor: actor.into(),
        action: action.into(),
        target: String::new(),
        detail: detail.into(),
    }
}

pub(crate) fn known() -> Known {
    let call = call(CallState::Completed);
    let caller = leg(&call, "caller", "Gamma-1", 0, 60, 4.2);
    let callee = {
        let mut leg = leg(&call, "callee", "Jonas Weber", 17_206, 0, 4.4);
        leg.id = LegId::from_uuid(uuid::Uuid::from_u128(9));
        leg
    };
    let recording = recording(&call);
    Known {
        events: events(&caller, &callee),
        labels: [("greeting", "Greeting"), ("menu", "Main menu"), ("support", "Support")]
            .map(|(id, name)| (id.to_owned(), name.to_owned()))
            .into(),
        legs: vec![caller, callee],
        transcript: Some(transcript(&call, &recording)),
        recording: Some(recording),
        jobs: vec![
            job("process_recording", JobState::Done, 1, None),
            job("transcribe", JobState::Done, 2, None),
            job("analyse", JobState::Done, 1, None),
            job("notify", JobState::Queued, 3, Some("crm.example answered 503")),
        ],
        looked: vec![
            looked(1_100_000, "ines@harbour.example", "recording.play", "from 0:00"),
            looked(1_000_000, "ines@harbour.example", "call.open", ""),
        ],
        consents: vec![strowger_model::record::Consent {
            at: at(1_000),
            leg: None,
            party: "+49 170 5550123".into(),
            outcome: strowger_model::ConsentOutcome::Agreed,
            digit: Some('1'),
            text: "May we record this call? Press 1 to agree, or 2 to go on without a recording.".into(),
        }],
        kept_until: Some(time::macros::datetime!(2027-02-19 14:02 UTC)),
        may_change: true,
        disposition: "answered".into(),
        is_chosen: false,
        dispositions: vec!["resolved".into(), "follow_up".into(), "answered".into()],
        confirm: false,
        sought: Question::default(),
        signalling: 14,
        start_ms: None,
        call,
    }
}

fn bare() -> Known {
    let call = Call {
        duration_ms: 0,
        answered_at: None,
        ended_at: Some(at(20_000)),
        cause: Some(HangupCause::Cancelled),
        from_name: None,
        notes: String::new(),
        tags: vec![],
        cost_micros: 0,
        ..call(CallState::Cancelled)
    };
    Known {
        legs: vec![Leg {
            answered_at: None,
            quality: None,
            codec: None,
            ended_at: Some(at(20_000)),
            ..leg(&call, "callee", "Jonas Weber", 200, 0, 4.4)
        }],
        call,
        labels: crate::calls::clock::Labels::new(),
        events: vec![],
        recording: None,
        transcript: None,
        jobs: vec![],
        looked: vec![],
        disposition: "cancelled".into(),
        is_chosen: false,
        dispositions: vec!["resolved".into()],
        consents: vec![],
        kept_until: None,
        may_change: false,
        confirm: false,
        sought: Question::default(),
        signalling: 0,
        start_ms: None,
    }
}

fn imported() -> Known {
    let known = known();
    Known {
        call: Call {
            from_number: String::new(),
            from_name: None,
            to_number: String::new(),
            // A person has taken the tag away that it came with.
            tags: vec![],
            ..known.call
        },
        recording: known.recording.map(|recording| Recording {
            recorded_by: Recording::IMPORT.into(),
            ..recording
        }),
        legs: vec![],
        events: vec![],
        consents: vec![],
        ..known
    }
}

fn live() -> Vec<Live> {
    let line = |seconds: i64, from: &str, number: &str, with: &str, state, by: &str| Live {
        call: CallId::generate(&world()),
        since: NOW - Duration::seconds(seconds),
        from: from.into(),
        from_number: number.into(),
        with: with.into(),
        state,
        by: by.into(),
        kept: match seconds {
            ..=50 => Kept::Not,
            51..=100 => Kept::Paused,
            _ => Kept::Recorded,
        },
    };
    vec![
        line(
            168,
            "Maria Kowalczyk",
            "+44 7700 900 318",
            "Jonas Weber, 204",
            CallState::Active,
            "Main line",
        ),
        line(
            72,
            "+44 20 7946 0102",
            "",
            "Aisha Khan, 211",
            CallState::Active,
            "Reception",
        ),
        line(
            41,
            "Tom Ellis, 207",
            "",
            "+44 1632 960 455",
            CallState::Active,
            "Outbound",
        ),
        line(
            6,
            "Smile Labs",
            "+44 1632 960 012",
            "Main menu",
            CallState::Ringing,
            "Main line",
        ),
    ]
}

fn listed() -> Vec<Listed> {
    let line =
        |minutes: i64, name: &str, number: &str, state: CallState, direction, reached: &str, talk_s: i64| Listed {
            call: Call {
                id: CallId::generate(&world()),
                started_at: NOW - Duration::minutes(minutes),
                from_name: Some(name.into()),
                from_number: number.into(),
                direction,
                state,
                answered_at: (talk_s > 0).then_some(NOW),
                duration_ms: talk_s * 1000,
                ..call(state)
            },
            reached: reached.into(),
            waited_ms: Some(minutes * 700),
            trend: (talk_s > 60).then_some([-0.2, 0.4]),
            mos: (talk_s > 0).then_some(4.3),
            kept: if talk_s > 60 { vec!["Rec", "transcript"] } else { vec![] },
        };
    use CallState::{Active, Busy, Cancelled, Completed, Failed, Missed};
    use Direction::{Inbound, Internal, Outbound};
    vec![
        line(1, "P. Okafor", "+44 7700 900 046", Active, Inbound, "Support", 33),
        line(
            30,
            "Maria Kowalczyk",
            "+44 7700 900 318",
            Completed,
            Inbound,
            "Jonas Weber",
            252,
        ),
        line(41, "E. Brandt", "+44 7700 900 502", Cancelled, Inbound, "Support", 0),
        line(
            55,
            "Unknown number",
            "+44 7700 900 933",
            Missed,
            Inbound,
            "Reception",
            0,
        ),
        line(61, "Tom Ellis", "207", Completed, Internal, "Aisha Khan", 98),
        line(77, "Ines Duarte", "201", Busy, Outbound, "Smile Labs", 0),
        line(95, "K. Nowak", "+44 7700 900 214", Failed, Inbound, "Billing", 0),
    ]
}

fn found(calls: Vec<Listed>, query: &str) -> Found {
    Found {
        topics: strowger_model::topics::TopicLists::default().names(),
        next: (!calls.is_empty()).then(|| "0199".to_owned()),
        calls,
        values: Values::default().with("state", query.trim_start_matches("state=")),
        query: query.into(),
        views: vec![("1".into(), "Poor audio".into(), "q=poor".into())],
        users: vec![("u1".into(), "Jonas Weber".into())],
    }
}

fn today() -> Today {
    let trunk = |name: &str, state, calls| TrunkLine {
        name: name.into(),
        href: format!("{BASE}/trunks"),
        state,
        calls,
        host: "sip.gamma.example".into(),
    };
    let mut hours = [0; 24];
    for (hour, count) in hours.iter_mut().skip(5).zip([1, 4, 19, 31, 38, 27, 24, 16, 29, 23]) {
        *hour = count;
    }
    Today {
        health: Health {
            most_today: 19,
            phones: (46, 48),
            calls_today: (212, 176),
            mos_today: Some(4.2),
            waiting: (11, 1_560_000),
            dead: 1,
            messages: 3,
            disk: Some(DiskState::once(290_000_000_000, 1_000_000_000_000)),
            certificates: None,
            workers: 2,
        },
        live: live(),
        trunks: vec![
            trunk("Gamma-1", State::ok("Up"), (4, 30)),
            trunk("Gamma-2", State::ok("Up"), (0, 30)),
            trunk("Voxbone-2", State::bad("No answer since 14:09"), (0, 20)),
        ],
        told: vec![],
        jobs: known().jobs,
        hours,
        may_operate: true,
        ends: vec![
            ("answered".into(), 170),
            ("missed".into(), 30),
            ("voicemail".into(), 12),
        ],
        notes: vec![],
    }
}

fn quiet() -> Today {
    Today {
        health: Health::default(),
        live: vec![],
        trunks: vec![],
        told: vec![],
        jobs: vec![],
        hours: [0; 24],
        may_operate: true,
        ends: vec![],
        notes: vec![],
    }
}

fn answered(asked: &str) -> crate::search::view::Found {
    let known = known();
    let question = Question::read(asked);
    let transcript = known.transcript.as_ref();
    let segments = transcript
        .map(|transcript| transcript.segments.clone())
        .unwrap_or_default();
    let places = question.in_turns(&segments).into_iter().map(|place| Answer {
        part: Where::Said,
        transcript: None,
        recording: None,
        place,
    });
    let places: Vec<Answer> = places.collect();
    let hit = Hit {
        call: known.call,
        more: 1,
        places,
    };
    crate::search::view::Found {
        means: false,
        note: "",
        hits: if hit.places.is_empty() { vec![] } else { vec![hit] },
        next: Some("1234".into()),
        after: String::new(),
        asked: asked.to_owned(),
        place: None,
    }
}

pub(super) fn samples() -> Vec<Sample> {
    let shell = shell();
    let confirm = Known {
        confirm: true,
        ..known()
    };
    let sought = Known {
        sought: Question::read("invoice"),
        start_ms: Some(9_200),
        ..known()
    };
    vec![
        sample("dashboard", &dashboard::page(&shell, BASE, &today())),
        sample("dashboard_first_day", &dashboard::page(&shell, BASE, &quiet())),
        sample(
            "live",
            &list::live_page(&shell, BASE, &live(), Role::Manager, &list::Placing::default()),
        ),
        sample("calls", &list::page(&shell, BASE, &found(listed(), ""))),
        sample(
            "calls_none_fit",
            &list::page(&shell, BASE, &found(vec![], "state=missed")),
        ),
        sample("call", &view::page(&shell, BASE, &known())),
        sample("call_found", &view::page(&shell, BASE, &sought)),
        sample("search", &crate::search::view::page(&shell, BASE, &answered("invoice"))),
        sample(
            "search_nobody",
            &crate::search::view::page(
                &shell,
                BASE,
                &crate::search::view::Found {
                    means: true,
                    note: crate::search::view::NOBODY,
                    ..answered("invoice")
                },
            ),
        ),
        sample(
            "search_nothing",
            &crate::search::view::page(&shell, BASE, &answered("zebra")),
        ),
        sample("call_delete", &view::page(&shell, BASE, &confirm)),
        sample("call_given_up", &view::page(&shell, BASE, &bare())),
        sample("call_imported", &view::page(&shell, BASE, &imported())),
    ]
}
