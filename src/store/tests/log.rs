//! The log's filters against the plain reading of them, and its search against what changes.

use super::calls::{call, finished, processed, recording};
use super::harness::{Bench, actor, on_each_engine};
use crate::{Afterwards, CallFilter, Page, Scope, TranscriptResult};
use strowger_model::record::Call;
use strowger_model::{CallId, CallState, Direction, World as _};
use time::Duration;

async fn found(scope: &Scope, filter: &CallFilter) -> Vec<CallId> {
    let mut found = vec![];
    let mut page = Page::first(7);
    loop {
        let part = scope.calls().log(filter, &page).await.unwrap();
        found.extend(part.items.iter().map(|call| call.id));
        match part.next {
            Some(next) => page.after = Some(next),
            None => return found,
        }
    }
}

async fn holds(scope: &Scope, text: &str) -> bool {
    let filter = CallFilter {
        search: Some(text.to_owned()),
        ..CallFilter::default()
    };
    !found(scope, &filter).await.is_empty()
}

const NUMBERS: [&str; 3] = ["+4917012", "+4918034", "00492151"];
const NAMES: [&str; 3] = ["Ada Ärger", "Bob \"the\" Builder", "Çelik"];

async fn sixty_calls(bench: &Bench, scope: &Scope) -> Vec<Call> {
    let mut all = vec![];
    for n in 0..60_usize {
        let mut new = call(bench, scope, NUMBERS[n % 3]);
        new.from_name = Some(NAMES[n / 3 % 3].to_owned());
        new.direction = [Direction::Inbound, Direction::Outbound][n / 2 % 2];
        new.state = [CallState::Completed, CallState::Missed, CallState::Failed][n / 5 % 3];
        new.tags = if n % 4 == 0 { vec!["vip".to_owned()] } else { vec![] };
        new.notes = if n % 7 == 0 {
            "wants 100% back".to_owned()
        } else {
            String::new()
        };
        scope.calls().begin(&new, &[]).await.unwrap();
        // Three calls a millisecond.
        bench.world.advance(i64::from(n % 3 == 2));
        all.push(new);
    }
    all
}

fn fits(call: &Call, filter: &CallFilter) -> bool {
    let text = format!(
        "{}\n{}\n{}\n{}\n{}",
        call.from_number,
        call.to_number,
        call.from_name.as_deref().unwrap_or_default(),
        call.notes,
        call.tags.join("\n")
    );
    let bare = |number: &str| {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        digits.trim_start_matches("00").to_owned()
    };
    filter.direction.is_none_or(|way| call.direction == way)
        && (filter.states.is_empty() || filter.states.contains(&call.state))
        && filter.from.is_none_or(|from| call.started_at >= from)
        && filter.until.is_none_or(|until| call.started_at < until)
        && filter.tag.as_ref().is_none_or(|tag| call.tags.contains(tag))
        && filter.number.as_ref().is_none_or(|number| {
            [&call.from_number, &call.to_number]
                .iter()
                .any(|own| bare(own) == bare(number))
        })
        && filter
            .search
            .as_ref()
            .is_none_or(|words| text.to_lowercase().contains(&words.to_lowercase()))
}

#[test]
fn every_combination_of_filters_finds_what_its_plain_reading_finds() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let start = bench.world.now();
        let all = sixty_calls(&bench, &scope).await;
        let other = bench.tenant("zenith").await;
        sixty_calls(&bench, &other).await;
        let words = [
            None,
            Some("ärger"),
            Some("170"),
            Some("\"THE\""),
            Some("0%"),
            Some("e"),
            Some("zz"),
            Some("zzz"),
            // The last letters of a text, and of the alphabet.
            Some("ip"),
            Some("p"),
            Some("Ç"),
        ];
        let states = [
            vec![],
            vec![CallState::Missed],
            vec![CallState::Completed, CallState::Failed],
        ];
        let mut tried = 0;
        for search in words {
            for states in &states {
                for way in [None, Some(Direction::Inbound)] {
                    for tag in [None, Some("vip")] {
                        for number in [None, Some("0049 170 12"), Some("+49 30123")] {
                            let from = (tried % 3 == 0).then_some(start + Duration::milliseconds(6));
                            let filter = CallFilter {
                                call_type: None,
                                disposition: None,
                                suggested: None,
                                topic: None,
                                search: search.map(str::to_owned),
                                states: states.clone(),
                                direction: way,
                                tag: tag.map(str::to_owned),
                                number: number.map(str::to_owned),
                                from,
                                until: (tried % 5 == 0).then_some(start + Duration::milliseconds(12)),
                                user: None,
                            };
                            let mut wanted: Vec<_> = all
                                .iter()
                                .filter(|call| fits(call, &filter))
                                .map(|call| call.id)
                                .collect();
                            let mut got = found(&scope, &filter).await;
                            assert_eq!(
                                scope.calls().count(&filter).await.unwrap(),
                                wanted.len() as i64,
                                "{filter:?}"
                            );
                            wanted.sort();
                            got.sort();
                            assert_eq!(got, wanted, "{filter:?}");
                            tried += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(tried, 11 * 3 * 2 * 2 * 3);
    });
}

#[test]
fn what_is_searched_follows_every_change_and_forgets_what_is_erased() {
    on_each_engine(|bench| async move {
        let scope = bench.tenant("acme").await;
        let begun = call(&bench, &scope, "+491701");
        scope.calls().begin(&begun, &[]).await.unwrap();
        assert!(holds(&scope, "91701").await);
        let mut end = finished(&bench, &begun, CallState::Completed);
        end.call.from_name = Some("Countess Lovelace".to_owned());
        let audio = recording(&bench);
        end.recordings.push(audio.clone());
        scope.calls().finish(&end).await.unwrap();
        assert!(holds(&scope, "ss love").await && !holds(&scope, "Ada").await);

        scope
            .calls()
            .update(&actor(), begun.id, Some("Übergabe"), None)
            .await
            .unwrap();
        scope.calls().add_tag(&actor(), begun.id, "Größe").await.unwrap();
        assert!(holds(&scope, "übergabe").await);
        assert!(holds(&scope, "größe").await);
        scope.calls().remove_tag(&actor(), begun.id, "Größe").await.unwrap();
        assert!(!holds(&scope, "größe").await);

        let result = processed(&scope).await;
        scope
            .recordings()
            .ready(audio.id, &result, Afterwards::Transcribe)
            .await
            .unwrap();
        let transcript = scope.transcripts().of_recording(audio.id).await.unwrap().unwrap().id;
        let said = TranscriptResult {
            text: "The parcel lies in Timbuktu.".to_owned(),
            language: None,
            confidence: 0.9,
            provider: "local".to_owned(),
            model: "tiny".to_owned(),
            cpu_seconds: 0.1,
            cost_micros: 0,
            audio_ms: 1000,
            segments: vec![],
        };
        scope.transcripts().ready(transcript, &said).await.unwrap();
        assert!(holds(&scope, "timbuktu").await);
        scope.recordings().erase(&actor(), audio.id).await.unwrap();
        assert!(!holds(&scope, "timbuktu").await && holds(&scope, "übergabe").await);
        scope.calls().remove(&actor(), begun.id).await.unwrap();
        assert!(!holds(&scope, "übergabe").await && !holds(&scope, "1").await);

        // On SQLite the words must be gone from the file too, index and free pages included.
        if bench.config.url.starts_with("sqlite:") {
            bench.store.close().await;
            let file = std::fs::read(bench.folder.path().join("strowger.db")).unwrap();
            for word in [&b"timbuktu"[..], b"imbukt", "übergabe".as_bytes()] {
                assert!(
                    !file.windows(word.len()).any(|part| part == word),
                    "{}",
                    String::from_utf8_lossy(word)
                );
            }
        }
    });
}
