//! The menu: what a role finds where, and the words a form leaves behind.

use crate::show::page::Group;
use crate::show::{Link, Shell};
use crate::state::ConsoleState;
use strowger_access::Signed;
use strowger_model::Role;
use strowger_model::record::Tenant;
use strowger_model::role::Permission;

/// What one of these permissions lets see.
type Entry = (&'static str, &'static str, &'static [Permission]);

const EVERYBODY: &[Permission] = &[Permission::UsePhone, Permission::ReadAllCalls];
const STEERS: &[Permission] = &[Permission::ManageFlows, Permission::ReadAudit];
const RUNS: &[Permission] = &[Permission::ManageTenant, Permission::ReadAudit];

const GROUPS: [(&str, &[Entry]); 5] = [
    (
        "Operate",
        &[
            ("/", "Dashboard", EVERYBODY),
            ("/live", "Live calls", EVERYBODY),
            ("/calls", "Calls", EVERYBODY),
            ("/recordings", "Recordings", EVERYBODY),
            ("/voicemail", "Voicemail", EVERYBODY),
            ("/rooms", "Rooms", EVERYBODY),
            ("/search", "Search", EVERYBODY),
            ("/phone", "Phone", &[Permission::UsePhone]),
        ],
    ),
    (
        "People and lines",
        &[("/users", "Users", RUNS), ("/devices", "Phones", RUNS)],
    ),
    (
        "Routing",
        &[
            ("/numbers", "Numbers", RUNS),
            ("/trunks", "Trunks", RUNS),
            ("/flows", "Flows", STEERS),
            ("/prompts", "Prompts", STEERS),
        ],
    ),
    (
        "Govern",
        &[
            ("/retention", "Retention", RUNS),
            ("/privacy", "Privacy", &[Permission::ManageTenant]),
            ("/compliance", "Compliance", RUNS),
            ("/settings", "Settings", RUNS),
            ("/providers", "Language services", RUNS),
            ("/audit", "Audit log", &[Permission::ReadAudit]),
            ("/tokens", "API tokens", &[Permission::ManageTenant]),
            ("/room-keys", "Room API keys", &[Permission::ManageTenant]),
        ],
    ),
    (
        "System",
        &[("/jobs", "Jobs", &[Permission::ManageCalls, Permission::ReadAudit])],
    ),
];

const PLATFORM: [(&str, &str); 5] = [
    ("/tenants", "Tenants"),
    ("/platform/numbers", "Number pool"),
    ("/platform/settings", "Platform settings"),
    ("/platform/audit", "Platform audit log"),
    ("/platform/health", "Health"),
];

/// The words for what a form did. The address carries the key, never the words.
fn notice(done: &str) -> &'static str {
    match done {
        "saved" => "Saved.",
        "added" => "Added.",
        "removed" => "Removed.",
        "published" => "Published. The next call takes it.",
        "publishing" => "Published. Callers hear it as soon as its texts are spoken.",
        "rolled-back" => "The older version is live again.",
        "stopped" => "It is stopped, or will be in a moment.",
        "retried" => "It waits for a worker again.",
        "ended" => "The call is being ended.",
        "room-ended" => "The meeting is over; everybody was shown out.",
        "room-idle" => "Nobody is in that room.",
        "revoked" => "The link lets nobody in any more.",
        "invited" => "The list of the invited is kept.",
        "steered" => "Asked for; the board shows how it stands.",
        "gone" => "That call is over already.",
        "placed" => "The call begins. It appears here as it rings.",
        "asked" => "Asked for. It appears here when the worker is done.",
        "held" => "A legal hold keeps it.",
        "released" => "The legal hold is lifted.",
        "erased" => "Erased: its key is destroyed.",
        "subject-erased" => "Erased. The proof is the first line below.",
        "read" => "Marked.",
        "trashed" => "Moved to the trash.",
        "restored" => "Put back into the inbox.",
        "signed-out" => "That browser is signed out.",
        "running" => "The run waits for a worker.",
        _ => "",
    }
}

/// What surrounds a page.
#[must_use]
pub(crate) fn shell(
    state: &ConsoleState,
    who: &Signed,
    tenant: Option<&Tenant>,
    (path, done): (&str, &str),
    live: i64,
) -> Shell {
    let role = who.principal().role();
    let base = tenant.map(|tenant| format!("/t/{}", tenant.id));
    let mut menu = Vec::new();
    if let Some(base) = &base {
        for (at, (name, entries)) in GROUPS.iter().enumerate() {
            let entries: Vec<(Link, bool, i64)> = entries
                .iter()
                .filter(|(_, _, any)| any.iter().any(|permission| role.may(*permission)))
                .map(|(target, name, _)| {
                    let href = format!("{base}{target}");
                    let here = if *target == "/" {
                        path == href
                    } else {
                        path.starts_with(&href)
                    };
                    let waiting = if *target == "/live" { live } else { 0 };
                    (Link::new(href, *name), here, waiting)
                })
                .collect();
            let open = at == 0 || entries.iter().any(|(_, here, _)| *here);
            if !entries.is_empty() {
                menu.push(Group { name, open, entries });
            }
        }
    }
    if role == Role::PlatformAdmin {
        let entries = PLATFORM
            .iter()
            .map(|(href, name)| (Link::new(*href, *name), path == *href, 0));
        menu.push(Group {
            name: "Platform",
            open: tenant.is_none(),
            entries: entries.collect(),
        });
    }
    Shell {
        menu,
        home: base
            .as_ref()
            .map_or_else(|| "/tenants".to_owned(), |base| format!("{base}/")),
        search: base.map(|base| format!("{base}/calls")).unwrap_or_default(),
        place: tenant.map_or_else(|| "Platform".to_owned(), |tenant| tenant.name.clone()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        person: who.principal().name().to_owned(),
        csrf: who.csrf(),
        notice: notice(done).to_owned(),
        clock: state.clock(),
    }
}
