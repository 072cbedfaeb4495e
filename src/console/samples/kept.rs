//! What is kept: recordings, messages, prompts.

use super::{BASE, NOW, Sample, sample, shell, world};
use crate::show::{Problems, Values};
use crate::voicemail::view::{self as voicemail, Message};
use crate::{prompts, recordings};
use std::collections::HashSet;
use strowger_model::record::{Greeting, Prompt, Recording, Voicemail};
use strowger_model::{CallId, GreetingId, PromptId, RecordingId, TenantId, UserId, VoicemailId};
use strowger_store::BucketHealth;
use time::Duration;

/// A greeting that is ready and one that failed, with whose they are.
fn greetings() -> [(Greeting, String); 2] {
    let greeting = |state: &str, problem: Option<&str>| Greeting {
        id: GreetingId::generate(&world()),
        tenant: TenantId::generate(&world()),
        user: UserId::generate(&world()),
        name: "On holiday".into(),
        kind: "holiday".into(),
        text: None,
        state: state.into(),
        problem: problem.map(str::to_owned),
        is_default: state == "ready",
        created_at: NOW,
    };
    [
        (greeting("ready", None), "Jonas Weber".to_owned()),
        (
            greeting("failed", Some("this is no audio file we can read")),
            "Maria Ortiz".to_owned(),
        ),
    ]
}

fn recording(state: &str, held: bool) -> Recording {
    Recording {
        id: RecordingId::generate(&world()),
        tenant: TenantId::generate(&world()),
        call: CallId::generate(&world()),
        capture: None,
        state: state.into(),
        problem: (state == "failed").then(|| "the capture holds no audio".to_owned()),
        name: "Maria Kowalczyk".into(),
        description: String::new(),
        format: "ogg/opus".into(),
        duration_ms: 252_000,
        size_bytes: 1_006_800,
        sha256: "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8".into(),
        blob: None,
        peaks: vec![],
        recorded_by: "settings".into(),
        sample_rate_hz: Some(16_000),
        held,
        created_at: NOW - Duration::hours(2),
    }
}

/// A page of recordings, one of them in the bucket, which is away.
fn found() -> recordings::view::Found {
    let mut found = recordings::view::Found {
        recordings: vec![
            recording("ready", false),
            recording("ready", true),
            recording("captured", false),
            recording("failed", false),
        ],
        far: HashSet::new(),
        bucket: Some(BucketHealth {
            place: "calls at https://minio.example".into(),
            moved: 40,
            waiting: 2,
            to_remove: 0,
            problem: Some("cannot write to the bucket".into()),
        }),
        next: Some("0199".into()),
        after: String::new(),
    };
    found.far.extend(found.recordings.get(1).map(|recording| recording.id));
    found
}

pub(super) fn samples() -> Vec<Sample> {
    let shell = shell();
    let (values, problems) = (Values::default(), Problems::default());
    let found = found();
    let until = Some(NOW + Duration::days(90));
    let mail = |read: bool, from: &str| Message {
        voicemail: Voicemail {
            id: VoicemailId::generate(&world()),
            tenant: TenantId::generate(&world()),
            user: UserId::generate(&world()),
            call: CallId::generate(&world()),
            recording: RecordingId::generate(&world()),
            from_number: from.into(),
            to_number: "204".into(),
            duration_ms: 31_000,
            is_read: read,
            is_deleted: false,
            created_at: NOW - Duration::minutes(50),
        },
        mailbox: "Jonas Weber".into(),
        text: "Hello Jonas, it is Maria. Please call me back about Sunday.".into(),
        ready: true,
    };
    let prompt = |name: &str, state: &str| Prompt {
        id: PromptId::generate(&world()),
        tenant: TenantId::generate(&world()),
        name: name.into(),
        state: state.into(),
        problem: (state == "failed").then(|| "this is no audio file".to_owned()),
        duration_ms: 9_000,
        source_name: "greeting.wav".into(),
        created_at: NOW,
    };
    let greetings = greetings();
    let beside = recordings::view::Beside {
        kept_until: until,
        far: true,
        may_erase: true,
        naming: Some((
            Values::default().with("name", "Call with Maria Hansen"),
            Problems::default(),
        )),
        ..recordings::view::Beside::default()
    };
    vec![
        sample(
            "recordings",
            &recordings::view::list(&shell, BASE, &found, Some((&values, &problems))),
        ),
        sample(
            "recording",
            &recordings::view::one(&shell, BASE, &recording("ready", false), &beside),
        ),
        sample(
            "voicemail",
            &voicemail::page(
                &shell,
                BASE,
                (&[mail(false, "+44 7700 900 318"), mail(true, "207")], &greetings),
                false,
                None,
            ),
        ),
        sample(
            "voicemail_trash",
            &voicemail::page(&shell, BASE, (&[], &[]), true, None),
        ),
        sample(
            "prompts",
            &prompts::view::page(
                &shell,
                BASE,
                &[prompt("greeting", "ready"), prompt("night", "failed")],
                (&values, &problems),
                true,
            ),
        ),
    ]
}
