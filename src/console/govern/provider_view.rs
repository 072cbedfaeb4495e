//! What the page of language services shows.

use crate::show::{
    Block, Body, Cell, Column, Field, Form, Note, Page, Problems, Row, Section, Shell, State, Table, Values, words,
};
use strowger_model::settings::Settings;
use strowger_store::{KnownProvider, ProviderFigures};

/// What is known of the providers.
#[derive(Debug, Clone)]
pub struct Known {
    /// Those the workers know.
    pub providers: Vec<KnownProvider>,
    /// What each was asked in the last thirty days.
    pub figures: Vec<ProviderFigures>,
    /// What counts.
    pub settings: Settings,
    /// Whether the reader may change it.
    pub may_change: bool,
}

/// The page.
#[must_use]
pub fn page(shell: &Shell, base: &str, known: &Known, (values, problems): (&Values, &Problems)) -> Page {
    let order = ["ai_understanding_order", "ai_transcription_order", "ai_embedding_order"]
        .map(|name| known.settings.text(name));
    let leaves = known.settings.switch("ai_may_leave_site");
    let used = |provider: &KnownProvider| {
        let named = |order: &String| order.split([',', ' ']).any(|name| name == provider.name);
        order.iter().any(named)
    };
    let outside = known
        .providers
        .iter()
        .any(|provider| used(provider) && !provider.on_premises);
    let (shape, strong, text) = if leaves && outside {
        (
            "warn",
            "Transcripts or audio leave this site.",
            "Providers in the order below that lie outside get what is said in this tenant’s calls.",
        )
    } else {
        (
            "ok",
            "Nothing leaves this site.",
            "Calls are heard and understood on this machine, or by servers of the house.",
        )
    };
    let note = Note {
        shape,
        strong: strong.into(),
        text: text.into(),
        link: None,
    };
    let mut blocks = vec![
        Block::One(Section::plain(vec![Body::Note(note)])),
        Block::One(providers(known, &used)),
    ];
    blocks.push(Block::One(figures(shell, known)));
    if known.may_change {
        blocks.push(Block::One(form(shell, base, known, values, problems)));
    }
    Page::new(shell, "Language services", blocks)
        .intro("Who transcribes and sums up calls. This machine always can; others are asked before it, in order.")
}

fn providers(known: &Known, used: &dyn Fn(&KnownProvider) -> bool) -> Section {
    let columns = vec![
        Column::name("Name"),
        Column::text("Where"),
        Column::text("Can"),
        Column::text("State"),
    ];
    let mut rows: Vec<Row> = known
        .providers
        .iter()
        .map(|provider| {
            let mut can = Vec::new();
            if provider.chats {
                can.push("understand");
            }
            if provider.hears {
                can.push("transcribe");
            }
            if provider.embeds {
                can.push("tell meanings");
            }
            let failing = known
                .figures
                .iter()
                .find(|one| one.provider == provider.name && one.is_failing());
            let consents = known.settings.switch("ai_may_leave_site") || provider.on_premises;
            let (state, why) = match failing {
                _ if !used(provider) => (State::idle("Not in the order"), String::new()),
                _ if !consents => (
                    State::idle("Not asked"),
                    "it lies outside, and nothing may leave".to_owned(),
                ),
                Some(one) => (State::warn("Failing"), one.last_problem.clone().unwrap_or_default()),
                None => (State::ok("In use"), String::new()),
            };
            let place = if provider.on_premises {
                "in the house"
            } else {
                "outside"
            };
            Row::of(vec![
                Cell::Pair(provider.name.clone(), provider.kind.clone()),
                Cell::Pair(provider.host.clone(), place.to_owned()),
                Cell::text(can.join(", ")),
                Cell::StatePair(state, why),
            ])
        })
        .collect();
    rows.push(Row::of(vec![
        Cell::Pair("local".into(), "rules and Whisper".into()),
        Cell::Pair("this machine".into(), "in the house".into()),
        Cell::text("understand, transcribe"),
        Cell::StatePair(State::ok("Last in every order"), String::new()),
    ]));
    Section::new(
        "pr",
        "Providers",
        vec![Body::Table(Table::new("Providers", columns, rows))],
    )
    .aside("named in the file worker.providers_file")
}

fn figures(shell: &Shell, known: &Known) -> Section {
    let columns = vec![
        Column::name("Provider"),
        Column::figure("Asked", "Asked"),
        Column::figure("Failed", "Failed"),
        Column::figure("Tokens", "Tokens"),
        Column::figure("Cost", "Cost"),
        Column::figure("Mean time", "Time"),
        Column::text("Last failure").class("full"),
    ];
    let rows = known.figures.iter().map(|one| {
        let failure = one.last_failed_at.map(|at| shell.clock.stamp(at)).unwrap_or_default();
        Row::of(vec![
            Cell::Pair(one.provider.clone(), one.task.clone()),
            Cell::text(words::grouped(one.asked)),
            Cell::text(words::grouped(one.failed)),
            Cell::text(words::grouped(one.tokens_asked + one.tokens_answered)),
            Cell::text(words::cost(one.cost_micros)),
            Cell::text(words::took(one.spent_ms / one.asked.max(1))),
            Cell::Pair(failure, one.last_problem.clone().unwrap_or_default()),
        ])
    });
    let table = Table::new("What was asked of providers", columns, rows.collect());
    let empty = (
        "Nobody was asked.",
        "Every call was heard and understood on this machine.",
    );
    Section::table("pf", "Last thirty days", table, empty)
}

fn form(shell: &Shell, base: &str, known: &Known, values: &Values, problems: &Problems) -> Section {
    let text = |name: &str, label: &str, hint: &str| {
        let mut field = Field::line(name, label).hint(hint);
        field.value = known.settings.text(name);
        field
    };
    let mut consent = Field::tick(
        "ai_may_leave_site",
        "Let transcripts and audio of this tenant leave this site",
    );
    if known.settings.switch("ai_may_leave_site") {
        "true".clone_into(&mut consent.value);
    }
    let fields = vec![
        text(
            "ai_understanding_order",
            "Asked to sum up, in order",
            "Names with commas between. Empty: this machine alone.",
        ),
        text(
            "ai_transcription_order",
            "Asked to transcribe, in order",
            "Names with commas between. Empty: this machine alone.",
        ),
        text(
            "ai_embedding_order",
            "Asked what texts mean, for the search",
            "The first who can. Empty: the search is for words alone.",
        ),
        consent,
        text(
            "ai_budget_seconds",
            "Seconds for all of them together",
            "Then this machine does it.",
        ),
    ];
    let mut form = Form::post(
        format!("{base}/providers"),
        "Order and consent",
        &shell.csrf,
        fields,
        "Save",
    )
    .stacked();
    if !problems.is_empty() {
        form = form.filled(values, problems);
    }
    Section::new("po", "Order and consent", vec![Body::Form(form)]).aside("Each change is written to the audit log")
}
