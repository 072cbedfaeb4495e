//! Times, spans, sizes and codes as words for people.

use super::State;
use jiff::{Timestamp, tz::TimeZone};
use strowger_model::job::{JobState, NoticeKind};
use strowger_model::record::JobRow;
use strowger_model::speech::Sentiment;
use strowger_model::{CallState, Direction, HangupCause, Role};
use time::OffsetDateTime;

/// The time of the page and the zone it is shown in.
#[derive(Debug, Clone)]
pub struct Clock {
    /// When the page was made.
    pub now: OffsetDateTime,
    zone: TimeZone,
    name: String,
}

impl Clock {
    /// A clock in the named zone (IANA), or in UTC when there is no such zone.
    #[must_use]
    pub fn new(now: OffsetDateTime, zone: &str) -> Self {
        match TimeZone::get(zone) {
            Ok(found) => Self {
                now,
                zone: found,
                name: zone.to_owned(),
            },
            Err(_) => Self {
                now,
                zone: TimeZone::UTC,
                name: "UTC".to_owned(),
            },
        }
    }

    /// The zone's name.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.name
    }

    fn local(&self, at: OffsetDateTime) -> OffsetDateTime {
        let Ok(stamp) = Timestamp::from_second(at.unix_timestamp()) else {
            return at;
        };
        let seconds = self.zone.to_offset(stamp).seconds();
        time::UtcOffset::from_whole_seconds(seconds).map_or(at, |offset| at.to_offset(offset))
    }

    /// `14:02:26`.
    #[must_use]
    pub fn time(&self, at: OffsetDateTime) -> String {
        let at = self.local(at);
        format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }

    /// `14:02:26.104`.
    #[must_use]
    pub fn time_ms(&self, at: OffsetDateTime) -> String {
        format!("{}.{:03}", self.time(at), at.millisecond())
    }

    /// `21 November`, with the year when it is another one.
    #[must_use]
    pub fn day(&self, at: OffsetDateTime) -> String {
        let (at, now) = (self.local(at), self.local(self.now));
        if at.year() == now.year() {
            format!("{} {}", at.day(), at.month())
        } else {
            format!("{} {} {}", at.day(), at.month(), at.year())
        }
    }

    /// `Saturday 21 November`.
    #[must_use]
    pub fn weekday(&self, at: OffsetDateTime) -> String {
        format!("{} {}", self.local(at).weekday(), self.day(at))
    }

    /// `2026-11-21`.
    #[must_use]
    pub fn date(&self, at: OffsetDateTime) -> String {
        let at = self.local(at);
        format!("{}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())
    }

    /// `today 14:21`, `12 Nov 09:03`, `19 Feb 2027`.
    #[must_use]
    pub fn stamp(&self, at: OffsetDateTime) -> String {
        let (local, now) = (self.local(at), self.local(self.now));
        let short: String = local.month().to_string().chars().take(3).collect();
        if local.date() == now.date() {
            format!("today {:02}:{:02}", local.hour(), local.minute())
        } else if local.year() == now.year() {
            format!("{} {short} {:02}:{:02}", local.day(), local.hour(), local.minute())
        } else {
            format!("{} {short} {}", local.day(), local.year())
        }
    }

    /// The stamp, or nothing.
    #[must_use]
    pub fn maybe(&self, at: Option<OffsetDateTime>) -> String {
        at.map(|at| self.stamp(at)).unwrap_or_default()
    }

    /// Midnight of the day `days` before today in this zone.
    #[must_use]
    pub fn midnight(&self, days: i64) -> OffsetDateTime {
        self.local(self.now).replace_time(time::Time::MIDNIGHT) - time::Duration::days(days)
    }

    /// The first moment of a written day (`2026-11-21`) in this zone.
    #[must_use]
    pub fn parse_day(&self, written: &str) -> Option<OffsetDateTime> {
        let mut parts = written.splitn(3, '-');
        let year = parts.next()?.parse().ok()?;
        let month = time::Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
        let date = time::Date::from_calendar_date(year, month, parts.next()?.parse().ok()?).ok()?;
        let utc = date.midnight().assume_utc();
        let offset = self.local(utc).offset();
        Some(date.midnight().assume_offset(offset))
    }

    /// A minute as a form sends it (`2026-11-21T09:30`) in this zone.
    #[must_use]
    pub fn parse_minute(&self, written: &str) -> Option<OffsetDateTime> {
        let (day, clock) = written.split_once('T')?;
        let mut parts = clock.splitn(3, ':');
        let (hour, minute) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let local = self.parse_day(day)?.date().with_hms(hour, minute, 0).ok()?;
        let offset = self.local(local.assume_utc()).offset();
        Some(local.assume_offset(offset))
    }

    /// The hour of the day, 0 to 23.
    #[must_use]
    pub fn hour(&self, at: OffsetDateTime) -> u8 {
        self.local(at).hour()
    }

    /// How long ago: `8 s`, `26 min`, `3 h`, `5 days`.
    #[must_use]
    pub fn since(&self, at: OffsetDateTime) -> String {
        short((self.now - at).whole_milliseconds().try_into().unwrap_or(i64::MAX))
    }
}

/// `2:48`, `1:02:03`: a span on a clock.
#[must_use]
pub fn clock(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    if seconds < 3600 {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    } else {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

/// `38 s`, `4 min 12 s`, `1 h 2 min`: a span in words.
#[must_use]
pub fn span(ms: i64) -> String {
    let seconds = (ms.max(0) + 500) / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// The largest unit of a span: `8 s`, `26 min`, `3 h`, `5 days`.
#[must_use]
pub fn short(ms: i64) -> String {
    match ms.max(0) / 1000 {
        s @ 0..=99 => format!("{s} s"),
        s @ 100..=7199 => format!("{} min", s / 60),
        s @ 7200..=172_799 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}

/// How long one of many took, which may be little: `9 ms`, `1.6 s`.
#[must_use]
pub fn took(ms: i64) -> String {
    match ms.max(0) {
        ms @ 0..=999 => format!("{ms} ms"),
        ms @ 1000..=99_949 => format!("{}.{} s", (ms + 50) / 1000, (ms + 50) / 100 % 10),
        ms => span(ms),
    }
}

/// Millionths of a currency with four decimals, rounded: `0.0006`.
#[must_use]
pub fn cost(micros: i64) -> String {
    let rounded = (micros.max(0) + 50) / 100;
    format!("{}.{:04}", rounded / 10_000, rounded % 10_000)
}

/// `512 B`, `48 kB`, `3.2 MB`.
#[must_use]
pub fn size(bytes: i64) -> String {
    match bytes.max(0) {
        b @ 0..=999 => format!("{b} B"),
        b @ 1000..=999_999 => format!("{} kB", b / 1000),
        b @ 1_000_000..=999_999_999 => format!("{}.{} MB", b / 1_000_000, b / 100_000 % 10),
        b => format!("{}.{} GB", b / 1_000_000_000, b / 100_000_000 % 10),
    }
}

/// `1 call`, `7 calls`, `2,418 calls`.
#[must_use]
pub fn count(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `2,418`.
#[must_use]
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    if number < 0 {
        out.push('−');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A state of a call.
#[must_use]
pub fn call_state(state: CallState) -> State {
    match state {
        CallState::Initiated => State::idle("Starting"),
        CallState::Ringing => State::idle("Ringing"),
        CallState::Active => State::on("Talking"),
        CallState::Cancelled => State::warn("Gave up"),
        CallState::Missed => State::warn("Missed"),
        CallState::Completed => State::ok("Answered"),
        CallState::NoAnswer => State::warn("No answer"),
        CallState::Busy => State::warn("Busy"),
        CallState::Failed => State::bad("Failed"),
    }
}

/// Which way a call went, in a word.
#[must_use]
pub const fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "In",
        Direction::Outbound => "Out",
        Direction::Internal => "Inside",
    }
}

/// Why it ended, as a sentence.
#[must_use]
pub const fn cause(cause: HangupCause) -> &'static str {
    match cause {
        HangupCause::Normal => "A party hung up after talking.",
        HangupCause::Cancelled => "The caller gave up before an answer.",
        HangupCause::Busy => "The callee was busy.",
        HangupCause::NoAnswer => "Nobody answered within the ring time.",
        HangupCause::Rejected => "The callee refused the call.",
        HangupCause::NotFound => "Nobody has this number.",
        HangupCause::Unreachable => "The callee had no phone that could be reached.",
        HangupCause::Forbidden => "The caller may not place this call.",
        HangupCause::MaxDuration => "The call reached its permitted length.",
        HangupCause::MediaTimeout => "No audio arrived for too long.",
        HangupCause::NoCodec => "The two sides share no codec. Turn on G.711 on the phone.",
        HangupCause::Congestion => "A limit was reached and the call was refused.",
        HangupCause::ProviderError => "The provider or phone answered with an error.",
        HangupCause::Shutdown => "The machine was shutting down.",
        HangupCause::DaemonRestart => "The machine restarted during the call.",
        HangupCause::Administrative => "An administrator or a program ended the call.",
        HangupCause::FlowEnded => "The flow ended the call.",
        HangupCause::AnsweredElsewhere => "Another phone answered first.",
        HangupCause::InternalError => "Something went wrong on our side; the log has more.",
    }
}

/// A mood.
#[must_use]
pub fn mood(sentiment: Sentiment) -> State {
    match sentiment {
        Sentiment::Positive => State::ok("pleased"),
        Sentiment::Neutral => State::idle("even"),
        Sentiment::Negative => State::bad("upset"),
    }
}

/// Where the mood went over a call.
#[must_use]
pub fn mood_way(trend: [f64; 2]) -> &'static str {
    let [first, last] = trend;
    if last - first > 0.15 {
        "↗ better"
    } else if first - last > 0.15 {
        "↘ worse"
    } else {
        "→ even"
    }
}

/// A role.
#[must_use]
pub const fn role(role: Role) -> &'static str {
    match role {
        Role::PlatformAdmin => "Platform administrator",
        Role::TenantAdmin => "Administrator",
        Role::Manager => "Manager",
        Role::User => "User",
        Role::Auditor => "Auditor",
    }
}

/// A state of a job.
#[must_use]
pub fn job_state(job: &JobRow) -> State {
    let attempts = job.attempts;
    match job.state {
        JobState::Running if job.stopped_by.is_some() => State::warn("Stopping"),
        JobState::Running if job.percent > 0 => State::on(format!("Running, {} %", job.percent)),
        JobState::Dead if job.stopped_by.is_some() => State::idle("Stopped"),
        JobState::Queued if attempts > 0 => State::warn("Trying again"),
        JobState::Queued => State::idle("Waiting"),
        JobState::Running => State::on("Running"),
        JobState::Done if attempts > 1 => State::ok(format!("Done on try {attempts}")),
        JobState::Done => State::ok("Done"),
        JobState::Dead => State::bad("Given up"),
    }
}

/// A kind of job.
#[must_use]
pub fn job_kind(kind: &str) -> &str {
    match kind {
        "process_recording" => "Make the recording",
        "transcribe" => "Transcribe",
        "analyse" => "Mood, summary, to-do",
        "embed" | "embed_question" => "What it means",
        "notify" => "Notify",
        "normalise_prompt" => "Prepare a prompt",
        "render_flow" => "Speak a flow’s texts",
        "render_greeting" | "prepare_greeting" | "render_phrases" => "Prepare a greeting",
        "retain" => "Retention",
        "import_recording" => "Import a recording",
        "move_recordings" => "Move to the bucket",
        other => other,
    }
}

/// A word of a code, as people read it: `no_answer` as `No answer`.
#[must_use]
pub fn spoken(code: &str) -> String {
    let text = code.replace(['_', '-'], " ");
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A kind of notice.
#[must_use]
pub const fn notice(kind: NoticeKind) -> &'static str {
    match kind {
        NoticeKind::RecordingReady => "Recording ready",
        NoticeKind::RecordingFailed => "Recording could not be made",
        NoticeKind::TranscriptReady => "Transcript ready",
        NoticeKind::TranscriptFailed => "Transcript could not be made",
        NoticeKind::VoicemailReady => "New message",
        NoticeKind::CallMissed => "Missed call",
        NoticeKind::TrunkDown => "Trunk is down",
        NoticeKind::TrunkUp => "Trunk is up again",
        NoticeKind::MeetingOpens => "Meeting opens",
        NoticeKind::CertificateEnds => "Certificate ends",
    }
}

/// A state that rows keep as a word: recordings, prompts, transcripts, versions.
#[must_use]
pub fn piece_state(state: &str) -> State {
    match state {
        "ready" => State::ok("Ready"),
        "failed" => State::bad("Failed"),
        "captured" | "pending" | "queued" => State::idle("Waiting"),
        "running" | "rendering" => State::on("In the making"),
        "erased" => State::idle("Erased"),
        other => State::idle(other),
    }
}

/// An ISO 639-1 code as a language.
#[must_use]
pub fn language(code: &str) -> &str {
    match code {
        "en" => "English",
        "de" => "German",
        "fr" => "French",
        "es" => "Spanish",
        "it" => "Italian",
        "nl" => "Dutch",
        "pl" => "Polish",
        "pt" => "Portuguese",
        "ru" => "Russian",
        "sv" => "Swedish",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let said: Vec<String> = [38_000, 252_000, 120_000, 3_720_000, 400].map(span).to_vec();
        assert_eq!(said, ["38 s", "4 min 12 s", "2 min", "1 h 2 min", "0 s"]);
        assert_eq!(clock(168_000), "2:48");
        assert_eq!(clock(3_723_000), "1:02:03");
        assert_eq!(grouped(2_418_000), "2,418,000");
    }

    #[test]
    fn what_is_little_is_not_said_to_be_nothing() {
        let said: Vec<String> = [0, 9, 999, 1000, 1_649, 9_960, 99_949, 252_000].map(took).to_vec();
        assert_eq!(
            said,
            [
                "0 ms",
                "9 ms",
                "999 ms",
                "1.0 s",
                "1.6 s",
                "10.0 s",
                "99.9 s",
                "4 min 12 s"
            ]
        );
        let costs: Vec<String> = [0, 49, 50, 586, 613, 999_950, 1_234_567].map(cost).to_vec();
        assert_eq!(
            costs,
            ["0.0000", "0.0000", "0.0001", "0.0006", "0.0006", "1.0000", "1.2346"]
        );
    }

    #[test]
    fn times_are_shown_in_the_zone_and_days_parse_in_it() {
        let now = OffsetDateTime::from_unix_timestamp(1_782_000_000).unwrap();
        let clock = Clock::new(now, "Europe/Berlin");
        let utc = Clock::new(now, "nowhere");
        assert_eq!(utc.zone(), "UTC");
        assert_ne!(clock.time(now), utc.time(now));
        let day = clock.parse_day("2026-06-21").unwrap();
        assert_eq!(clock.time(day), "00:00:00");
        assert_eq!(clock.date(day), "2026-06-21");
    }
}
