//! How fast the call log answers: fills a million calls, asks for pages by each filter, and compares them with what
//! plain SQL finds.
//!
//! `cargo run --release -p strowger-store --example call_log -- [URL] [ROWS]`, where `URL` is
//! `postgres://…` of an empty database or nothing for SQLite in a temporary folder.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a measurement prints, and ends when it cannot go on"
)]

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
use std::sync::Arc;
use std::time::Instant;
use strowger_model::{CallState, Direction, TenantId, UserId};
use strowger_store::{Actor, CallFilter, NewTenant, Page, Scope, Store, StoreConfig, SystemWorld};
use time::{Duration, OffsetDateTime};

const ROUNDS: usize = 20;
const BUDGET_MS: f64 = 200.0;

#[tokio::main]
async fn main() {
    let mut given = std::env::args().skip(1);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = given
        .next()
        .filter(|url| !url.is_empty())
        .unwrap_or_else(|| format!("sqlite://{}/strowger.db", folder.path().display()));
    let rows: i64 = given
        .next()
        .map_or(1_000_000, |rows| rows.parse().expect("a count of rows"));
    let config = StoreConfig {
        url: url.clone(),
        data_dir: folder.path().to_owned(),
        master_key: [7; 32],
    };
    let store = Store::open(&config, Arc::new(SystemWorld)).await.expect("the store");
    let new = |name: &str| NewTenant {
        name: name.to_owned(),
        realm: format!("{name}.example"),
    };
    let tenants = store.tenants();
    let actor = Actor::named("bench");
    let ours = tenants.create(&actor, new("ours")).await.expect("a tenant").id;
    let theirs = tenants.create(&actor, new("theirs")).await.expect("a tenant").id;
    let began = Instant::now();
    fill(&url, ours, theirs, rows).await;
    store.upkeep().await.expect("upkeep");
    println!("{rows} calls written in {:.0} s", began.elapsed().as_secs_f64());

    let scope = store.tenant(ours);
    let mut plain = sqlx::AnyConnection::connect(&url).await.expect("a connection");
    if !url.starts_with("sqlite") {
        let all = "select set_config('strowger.tenant', '*', false)";
        plain.execute(all).await.expect("every row");
    }
    let mut slowest = 0.0_f64;
    for (name, filter) in filters(rows) {
        slowest = slowest.max(measure(&scope, name, &filter).await);
        let (ours, theirs) = (
            pages(&scope, &filter).await,
            by_plain_sql(&mut plain, ours, &filter).await,
        );
        assert_eq!(ours, theirs, "{name} finds something else than plain SQL");
    }
    println!("slowest p95 {slowest:.1} ms, budget {BUDGET_MS} ms");
    store.close().await;
}

/// Calls that are compared with plain SQL.
const COMPARED: usize = 120;

/// The first calls of the log, page by page.
async fn pages(scope: &Scope, filter: &CallFilter) -> Vec<String> {
    let mut found = Vec::new();
    let mut page = Page::first(50);
    loop {
        let part = scope.calls().log(filter, &page).await.expect("a page");
        found.extend(part.items.iter().map(|call| call.id.to_string()));
        page.after = part.next;
        if page.after.is_none() || found.len() >= COMPARED {
            found.truncate(COMPARED);
            return found;
        }
    }
}

/// The same as anybody would write it down, with no index in mind.
async fn by_plain_sql(connection: &mut sqlx::AnyConnection, tenant: TenantId, filter: &CallFilter) -> Vec<String> {
    let mut clause = format!("tenant_id = '{tenant}'");
    let mut and = |piece: String| clause.push_str(&format!(" and {piece}"));
    if let Some(user) = filter.user {
        and(format!("user_id = '{user}'"));
    }
    if let Some(way) = filter.direction {
        and(format!("direction = '{way}'"));
    }
    if !filter.states.is_empty() {
        let states: Vec<_> = filter.states.iter().map(|state| format!("'{state}'")).collect();
        and(format!("state in ({})", states.join(", ")));
    }
    let millis = |at: OffsetDateTime| at.unix_timestamp_nanos() / 1_000_000;
    if let Some(from) = filter.from {
        and(format!("started_at >= {}", millis(from)));
    }
    if let Some(until) = filter.until {
        and(format!("started_at < {}", millis(until)));
    }
    if let Some(number) = &filter.number {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_start_matches("00");
        and(format!(
            "(ltrim(from_number, '+0') = '{digits}' or ltrim(to_number, '+0') = '{digits}')"
        ));
    }
    if let Some(tag) = &filter.tag {
        and(format!(
            "exists (select 1 from call_tags where call_id = calls.id and tag = '{tag}')"
        ));
    }
    if let Some(words) = &filter.search {
        // The filling below writes no tags into the texts.
        let text = "lower(from_number || '|' || to_number || '|' || coalesce(from_name, '') || '|' || notes)";
        and(format!("{text} like '%{words}%'"));
    }
    let statement = format!("select id from calls where {clause} order by started_at desc, id desc limit {COMPARED}");
    let rows = sqlx::query(AssertSqlSafe(statement))
        .fetch_all(connection)
        .await
        .expect("plain SQL");
    rows.iter().map(|row| row.get("id")).collect()
}

/// A page from the start and one from the middle of what it finds; p95 over both.
async fn measure(scope: &Scope, name: &str, filter: &CallFilter) -> f64 {
    let mut took = Vec::new();
    let mut page = Page::first(50);
    let mut seen = 0;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let part = scope.calls().log(filter, &page).await.expect("a page");
        took.push(began.elapsed().as_secs_f64() * 1000.0);
        seen += part.items.len();
        page.after = part.next;
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| {
        took.get((took.len() as f64 * share) as usize)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{name:44} p50 {:8.2} ms   p95 {:8.2} ms   {seen} calls seen",
        at(0.5),
        at(0.95)
    );
    at(0.95)
}

type Named = (&'static str, CallFilter);

fn by_state(states: &[CallState]) -> CallFilter {
    CallFilter {
        states: states.to_vec(),
        ..CallFilter::default()
    }
}

fn by_number(number: &str) -> CallFilter {
    CallFilter {
        number: Some(number.to_owned()),
        ..CallFilter::default()
    }
}

fn by_tag(tag: &str) -> CallFilter {
    CallFilter {
        tag: Some(tag.to_owned()),
        ..CallFilter::default()
    }
}

fn with_tag(filter: CallFilter, tag: &str) -> CallFilter {
    CallFilter {
        tag: Some(tag.to_owned()),
        ..filter
    }
}

fn by_words(words: &str) -> CallFilter {
    CallFilter {
        search: Some(words.to_owned()),
        ..CallFilter::default()
    }
}

fn by_direction(direction: Direction) -> CallFilter {
    CallFilter {
        direction: Some(direction),
        ..CallFilter::default()
    }
}

fn by_user(n: i64) -> CallFilter {
    CallFilter {
        user: Some(user(n)),
        ..CallFilter::default()
    }
}

fn between(from: Option<OffsetDateTime>, until: Option<OffsetDateTime>) -> CallFilter {
    CallFilter {
        from,
        until,
        ..CallFilter::default()
    }
}

fn filters(rows: i64) -> Vec<Named> {
    let start = OffsetDateTime::from_unix_timestamp(1_700_000_000).expect("a time");
    let day = start + Duration::seconds(rows * 15);
    let failed = |filter: CallFilter| CallFilter {
        states: vec![CallState::Failed],
        ..filter
    };
    let common = [CallState::Completed, CallState::Missed, CallState::Failed];
    vec![
        ("no filter", CallFilter::default()),
        ("direction outbound", by_direction(Direction::Outbound)),
        ("direction internal (none)", by_direction(Direction::Internal)),
        ("state completed", by_state(&[CallState::Completed])),
        ("state failed (rare)", by_state(&[CallState::Failed])),
        ("state cancelled (none)", by_state(&[CallState::Cancelled])),
        ("states completed, missed, failed", by_state(&common)),
        ("number of everybody", by_number("+4930123")),
        ("number of one caller", by_number("0049 170 0000 777")),
        ("number of nobody", by_number("+19995550000")),
        ("user", by_user(7)),
        ("user without calls", by_user(999_999)),
        ("from a day", between(Some(day), None)),
        ("until a day", between(None, Some(day))),
        ("a day", between(Some(day), Some(day + Duration::days(1)))),
        ("tag of every third call", by_tag("vip")),
        ("tag of a thousandth", by_tag("legal")),
        ("tag of none", by_tag("nothing")),
        ("search: in every call", by_words("4930")),
        ("search: in a tenth", by_words("refund")),
        ("search: one caller", by_words("1700000777")),
        ("search: one word, once", by_words("zanzibar")),
        ("search: nowhere", by_words("nowhere at all")),
        ("search: nowhere, of frequent parts", by_words("9999999999")),
        ("search: two letters, frequent", by_words("49")),
        ("search: two letters, nowhere", by_words("zq")),
        ("search: one letter, frequent", by_words("a")),
        ("search: one letter, nowhere", by_words("q")),
        ("search: two letters, once", by_words("nz")),
        ("number and state", failed(by_number("+4930123"))),
        ("number and tag", with_tag(by_number("+491700000777"), "vip")),
        ("tag and state", failed(by_tag("vip"))),
    ]
}

fn user(n: i64) -> UserId {
    format!("00000000-0000-7000-8000-{n:012}").parse().expect("an id")
}

/// Fills by one statement a table, as fast as the engine can: a call every 30 seconds, one in five of
/// another tenant.
async fn fill(url: &str, ours: TenantId, theirs: TenantId, rows: i64) {
    let is_sqlite = url.starts_with("sqlite");
    let hex = if is_sqlite {
        "printf('%012x', n)"
    } else {
        "lpad(to_hex(n), 12, '0')"
    };
    let dec = |what: &str| {
        if is_sqlite {
            format!("printf('%07d', {what})")
        } else {
            format!("lpad(({what})::text, 7, '0')")
        }
    };
    let (caller, person) = (dec("n % 100000"), dec("n % 500"));
    let calls = format!(
        "insert into calls (id, tenant_id, user_id, direction, call_type, state, from_number, from_name, to_number, \
         started_at, answered_at, ended_at, duration_ms, cause, flow_version, notes, metadata, transcribe, cost_micros, \
         currency) \
         with recursive counted(n) as (select cast(1 as bigint) union all select n + 1 from counted where n < {rows}) \
         select '00000000-0000-7000-9000-' || {hex}, case when n % 5 = 0 then '{theirs}' else '{ours}' end, \
         '00000000-0000-7000-8000-00000' || {person}, case when n % 3 = 0 then 'outbound' else 'inbound' end, \
         case when n % 3 = 0 then 'CUSTOMER_OUTBOUND' else 'CUSTOMER_INBOUND' end, \
         case when n % 1000 = 1 then 'failed' when n % 4 = 0 then 'missed' else 'completed' end, \
         '+49170' || {caller}, case when n % 2 = 0 then 'Ada Byron ' || n end, '+4930123', \
         1700000000000 + n * 30000, 1700000000000 + n * 30000 + 5000, 1700000000000 + n * 30000 + 65000, 60000, 'normal', \
         null, case when n = 4711 then 'moved to Zanzibar' when n % 10 = 1 then 'wants a refund' else '' end, '{{}}', 0, 0, \
         'EUR' from counted"
    );
    let tags = |tag: &str, every: i64, rest: i64| {
        format!(
            "insert into call_tags (call_id, tag, tenant_id, started_at) select id, '{tag}', tenant_id, started_at \
             from calls where (started_at - 1700000000000) / 30000 % {every} = {rest}"
        )
    };
    let texts = "insert into call_texts (place, tenant_id, call_id, text) \
         select started_at * 1048576, tenant_id, id, lower(from_number || '\n' || to_number || '\n' || \
         coalesce(from_name, '') || '\n' || notes) || '\n\n' from calls order by started_at"
        .to_owned();
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.expect("a connection");
    let scope = "select set_config('strowger.tenant', '*', false)".to_owned();
    let count = "analyze".to_owned();
    let before = if is_sqlite { vec![] } else { vec![scope] };
    let all = [calls, tags("vip", 3, 1), tags("legal", 1000, 1), texts, count];
    for statement in before.into_iter().chain(all) {
        connection.execute(AssertSqlSafe(statement)).await.expect("filling");
    }
}
